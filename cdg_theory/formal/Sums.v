(** Sums, updates of arrays, and rows around the cycle. *)
From Cdg Require Import Fields Arrays Definitions.
Require Import Field.
Local Open Scope field_scope.

(** A denominator that differs by [ring] from one that is known not to vanish. *)
Ltac known := match goal with
  | H : ?y <> zero |- ?x <> zero => exact H
  | H : ?y <> zero |- ?x <> zero => let E := fresh in intro E; apply H; rewrite <- E; ring
  end.

Lemma next_prev n i : i < n -> next n (prev n i) = i.
Proof.
  unfold next, prev. intros H. destruct i as [|i].
  - assert (Nat.ltb (S (n - 1)) n = false) as -> by (apply Nat.ltb_ge; lia). reflexivity.
  - now apply Nat.ltb_lt in H as ->.
Qed.
Lemma prev_next n i : i < n -> prev n (next n i) = i.
Proof.
  unfold next, prev. intros H. destruct (Nat.ltb (S i) n) eqn:E; auto.
  apply Nat.ltb_ge in E. lia.
Qed.
Lemma prev_less n i : i < n -> prev n i < n.
Proof. destruct i; simpl; lia. Qed.
Lemma next_less n i : i < n -> next n i < n.
Proof. unfold next. destruct (Nat.ltb (S i) n) eqn:E; [apply Nat.ltb_lt in E|]; lia. Qed.
Lemma next_inner n i : S i < n -> next n i = S i.
Proof. intros H. unfold next. now apply Nat.ltb_lt in H as ->. Qed.
Lemma next_last n i : S i = n -> next n i = O.
Proof. intros <-. unfold next. now rewrite Nat.ltb_irrefl. Qed.

Section Sums.
Context {F : field}.
Add Field field_of_F : (laws F).

Lemma sum_ext (a b : nat -> F) n : (forall i, i < n -> a i = b i) -> sum a n = sum b n.
Proof. induction n; simpl; intros H; auto. rewrite IHn, H; auto. Qed.
Lemma sum_add (a b : nat -> F) n : sum (fun i => a i + b i) n = sum a n + sum b n.
Proof. induction n; simpl; [ring | rewrite IHn; ring]. Qed.
Lemma sum_sub (a b : nat -> F) n : sum (fun i => a i - b i) n = sum a n - sum b n.
Proof. induction n; simpl; [ring | rewrite IHn; ring]. Qed.
Lemma sum_scale (a : nat -> F) s n : sum (fun i => s * a i) n = s * sum a n.
Proof. induction n; simpl; [ring | rewrite IHn; ring]. Qed.
Lemma sum_exchanged (a : nat -> nat -> F) m n :
  sum (fun j => sum (fun i => a i j) m) n = sum (fun i => sum (a i) n) m.
Proof.
  induction n as [|n IH]; cbn [sum].
  - induction m as [|m IH]; cbn [sum]; [reflexivity | rewrite <- IH; ring].
  - rewrite IH. clear IH. induction m as [|m IH]; cbn [sum]; [ring | rewrite <- IH; ring].
Qed.
Lemma sum_const s n : sum (fun _ => s) n = number n * s :> F.
Proof. induction n; simpl; [ring | rewrite IHn; ring]. Qed.
Lemma sum_const_one n : sum (fun _ => 1) n = number n :> F.
Proof. rewrite sum_const. ring. Qed.
Lemma sum_zero (a : nat -> F) n : (forall i, i < n -> a i = 0) -> sum a n = 0.
Proof. intros H. rewrite (sum_ext a (fun _ => 0) n H), sum_const. ring. Qed.
Lemma sum_first (a : nat -> F) n : sum a (S n) = a O + sum (fun i => a (S i)) n.
Proof. induction n as [|n IH]; [simpl; ring|]. cbn [sum] in *. rewrite IH. ring. Qed.
Lemma sum_next (a : nat -> F) n : sum (fun i => a (next n i)) n = sum a n.
Proof.
  destruct n as [|n]; [reflexivity|]. rewrite (sum_first a). cbn [sum].
  rewrite (sum_ext (fun i => a (next (S n) i)) (fun i => a (S i))).
  - rewrite next_last by auto. ring.
  - intros i Hi. now rewrite next_inner by lia.
Qed.
Lemma sum_prev (a : nat -> F) n : sum (fun i => a (prev n i)) n = sum a n.
Proof.
  rewrite <- sum_next. apply sum_ext. intros i Hi. now rewrite prev_next.
Qed.
Lemma sum_reversed (a : nat -> F) n : sum (reversed a n) n = sum a n.
Proof.
  induction n as [|n IH]; [reflexivity|]. rewrite sum_first. cbn [sum]. rewrite <- IH.
  unfold reversed at 1. replace (S n - 1 - 0)%nat with n by lia.
  rewrite (sum_ext (fun i => reversed a (S n) (S i)) (reversed a n)); [ring|].
  intros i Hi. unfold reversed. f_equal. lia.
Qed.
Lemma sum_scaled (w : nat -> F) n : sum w n <> 0 -> sum (fun i => w i / sum w n) n = 1.
Proof.
  intros H. rewrite (sum_ext (fun i => w i / sum w n) (fun i => (1 / sum w n) * w i))
    by (intros; now field). rewrite sum_scale. now field.
Qed.
Lemma sum_delta (a : nat -> F) j n : j < n -> sum (fun i => delta i j * a i) n = a j.
Proof.
  unfold delta. induction n as [|n IH]; [lia|]. intros H. cbn [sum].
  destruct (Nat.eq_dec j n) as [->|Hne].
  - rewrite sum_zero; [rewrite Nat.eqb_refl; ring|].
    intros i Hi. assert (Nat.eqb i n = false) as -> by (apply Nat.eqb_neq; lia). ring.
  - rewrite IH by lia. assert (Nat.eqb n j = false) as -> by (apply Nat.eqb_neq; lia). ring.
Qed.
Lemma sum_delta_one j n : j < n -> sum (fun i => delta i j) n = 1 :> F.
Proof.
  intros H. rewrite <- (sum_delta (fun _ => 1) j n H). apply sum_ext. intros. ring.
Qed.

Lemma set_same (a : nat -> F) i (v : F) : set a i v i = v.
Proof. unfold set. now rewrite Nat.eqb_refl. Qed.
Lemma set_other (a : nat -> F) i j (v : F) : j <> i -> set a i v j = a j.
Proof. unfold set. intros H. now apply Nat.eqb_neq in H as ->. Qed.

Lemma sub_zero (x y : F) : x - y = 0 -> x = y.
Proof. intros H. transitivity (x - y + y); [ring | rewrite H; ring]. Qed.
Lemma sub_nonzero (x y : F) : x <> y -> y - x <> 0.
Proof. intros H E. apply H. symmetry. now apply sub_zero. Qed.
Lemma mul_nonzero (x y : F) : x <> 0 -> y <> 0 -> x * y <> 0.
Proof. intros Hx Hy E. apply Hx. transitivity (x * y / y); [now field | rewrite E; now field]. Qed.
Lemma mul_zero (x y : F) : x <> 0 -> x * y = 0 -> y = 0.
Proof. intros Hx H. transitivity ((x * y) / x); [now field | rewrite H; now field]. Qed.
Lemma div_nonzero (x y : F) : x <> 0 -> y <> 0 -> x / y <> 0.
Proof. intros Hx Hy E. apply Hx. transitivity (x / y * y); [now field | rewrite E; ring]. Qed.

(** All rows but one, and the sums, give that one. *)
Lemma last_row (a : nat -> F) n :
  (forall i, S i < n -> a i = 0) -> sum a n = 0 -> forall i, i < n -> a i = 0.
Proof.
  intros Hrows Hsum i Hi. destruct (Nat.eq_dec (S i) n) as [<-|Hne]; [|apply Hrows; lia].
  simpl in Hsum. rewrite sum_zero in Hsum by (intros; apply Hrows; lia).
  rewrite <- Hsum. ring.
Qed.

(** L: its rows sum to zero, it is linear, and does not see constants. *)
Lemma path_laplacian_sums (x : nat -> F) n m : S m < n ->
  sum (path_laplacian x n) (S m) = x m - x (S m).
Proof.
  induction m as [|m IH]; intros Hm.
  - simpl. unfold path_laplacian. apply Nat.ltb_lt in Hm as ->. ring.
  - change (sum (path_laplacian x n) (S m) + path_laplacian x n (S m) = x (S m) - x (S (S m))).
    rewrite IH by lia. unfold path_laplacian. apply Nat.ltb_lt in Hm as ->. ring.
Qed.
Lemma path_laplacian_total (x : nat -> F) n : sum (path_laplacian x n) n = 0.
Proof.
  destruct n as [|[|n]]; [reflexivity | simpl; unfold path_laplacian; simpl; ring |].
  change (sum (path_laplacian x (S (S n))) (S n) + path_laplacian x (S (S n)) (S n) = 0).
  rewrite path_laplacian_sums by lia. unfold path_laplacian. rewrite Nat.ltb_irrefl. ring.
Qed.
Lemma cycle_laplacian_total (x : nat -> F) n : sum (cycle_laplacian x n) n = 0.
Proof.
  unfold cycle_laplacian.
  rewrite (sum_add (fun i => x i - x (prev n i)) (fun i => x i - x (next n i))).
  rewrite (sum_sub x (fun i => x (prev n i))), (sum_sub x (fun i => x (next n i))).
  rewrite sum_prev, sum_next. ring.
Qed.

(** What the proofs use of a Laplacian. *)
Record is_laplacian (laplacian : (nat -> F) -> nat -> nat -> F) : Prop := {
  laplacian_total : forall x n, sum (laplacian x n) n = 0;
  laplacian_shift : forall s x n i, laplacian (fun i => s + x i) n i = laplacian x n i;
  laplacian_linear : forall s t x y n i,
    laplacian (fun i => s * x i + t * y i) n i = s * laplacian x n i + t * laplacian y n i;
  laplacian_local : forall x y n i, (forall j, j < n -> x j = y j) -> i < n -> laplacian x n i = laplacian y n i }.
Lemma path_is_laplacian : is_laplacian path_laplacian.
Proof.
  constructor.
  - apply path_laplacian_total.
  - intros. unfold path_laplacian. destruct i, (Nat.ltb _ n); ring.
  - intros. unfold path_laplacian. destruct i, (Nat.ltb _ n); ring.
  - intros x y n i H Hi. unfold path_laplacian. rewrite (H i) by lia.
    destruct (Nat.ltb (S i) n) eqn:E; [apply Nat.ltb_lt in E; rewrite (H (S i)) by lia|];
      (destruct i as [|i]; [|rewrite (H i) by lia]); reflexivity.
Qed.
Lemma cycle_is_laplacian : is_laplacian cycle_laplacian.
Proof.
  constructor.
  - apply cycle_laplacian_total.
  - intros. unfold cycle_laplacian. ring.
  - intros. unfold cycle_laplacian. ring.
  - intros x y n i H Hi. unfold cycle_laplacian.
    now rewrite !H by auto using prev_less, next_less.
Qed.

Section Laplacian.
Variable laplacian : (nat -> F) -> nat -> nat -> F.
Hypothesis HL : is_laplacian laplacian.

Lemma operator_ext (beta c : F) x y n i : (forall j, j < n -> x j = y j) -> i < n ->
  operator laplacian beta c x n i = operator laplacian beta c y n i.
Proof. intros H Hi. unfold operator. now rewrite H, (laplacian_local _ HL x y) by auto. Qed.
Lemma operator_linear (beta c : F) s t x y n i :
  operator laplacian beta c (fun i => s * x i + t * y i) n i
  = s * operator laplacian beta c x n i + t * operator laplacian beta c y n i.
Proof. unfold operator. rewrite (laplacian_linear _ HL). ring. Qed.
Lemma operator_shift (beta c : F) s x n i :
  operator laplacian beta c (fun i => s + x i) n i = beta * s + operator laplacian beta c x n i.
Proof. unfold operator. rewrite (laplacian_shift _ HL). ring. Qed.
Lemma operator_total (beta c : F) x n :
  sum (operator laplacian beta c x n) n = beta * sum x n.
Proof.
  unfold operator.
  rewrite (sum_add (fun i => beta * x i)), (sum_scale x), (sum_scale (laplacian x n)), (laplacian_total _ HL).
  ring.
Qed.
Lemma gram_ext (alpha beta c : F) x y n i : (forall j, j < n -> x j = y j) -> i < n ->
  gram laplacian alpha beta c x n i = gram laplacian alpha beta c y n i.
Proof.
  intros H Hi. unfold gram, mean. now rewrite (sum_ext x y), H, (laplacian_local _ HL x y) by auto.
Qed.

(** All rows but the last, and sums that fit, give the last. *)
Lemma operator_last (beta c : F) x r n :
  (forall i, S i < n -> operator laplacian beta c x n i = r i) -> beta * sum x n = sum r n ->
  forall i, i < n -> operator laplacian beta c x n i = r i.
Proof.
  intros Hrows Hsum i Hi. apply sub_zero.
  apply (last_row (fun i => operator laplacian beta c x n i - r i) n); auto.
  - intros j Hj. rewrite Hrows by auto. ring.
  - rewrite (sum_sub (operator laplacian beta c x n)), operator_total, Hsum. ring.
Qed.
End Laplacian.

(** A mean, and a solution of mean zero beside it, solve the whole. *)
Lemma mean_sum (h : nat -> F) n : number n <> 0 :> F -> sum h n = number n * mean h n.
Proof. intros Hn. unfold mean. now field. Qed.
Lemma mean_ext (x y : nat -> F) n : (forall i, i < n -> x i = y i) -> mean x n = mean y n.
Proof. intros H. unfold mean. now rewrite (sum_ext x y). Qed.
Lemma mean_shift (x : nat -> F) s n : number n <> 0 :> F -> sum x n = 0 ->
  mean (fun i => s + x i) n = s.
Proof. intros Hn H. unfold mean. rewrite sum_add, sum_const, H. now field. Qed.
Lemma fluctuation_sum (g : nat -> F) n : number n <> 0 :> F -> sum (fun i => g i - mean g n) n = 0.
Proof. intros Hn. rewrite sum_sub, sum_const, mean_sum by auto. ring. Qed.
Lemma gram_split laplacian (alpha beta c s : F) (x : nat -> F) n i : is_laplacian laplacian ->
  number n <> 0 :> F -> sum x n = 0 ->
  gram laplacian alpha beta c (fun i => s + x i) n i
  = alpha * s + operator laplacian beta c x n i.
Proof.
  intros HL Hn Hx. unfold gram, operator. rewrite mean_shift, (laplacian_shift _ HL) by auto. ring.
Qed.
End Sums.
