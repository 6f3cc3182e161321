(** T5.one-line and T5.sweeps-path: for every n, elimination by induction on the rows. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Loops.
Require Import Field.
Local Open Scope field_scope.

Section Path.
Context {F : field}.
Add Field field_of_F : (laws F).

(** Elimination: rows i < n - 1, from pivots, forward and backward results. *)
Lemma path_rows (beta c : F) (r x y : nat -> F) n :
  (forall i, S i < n -> c + excess beta c i <> 0) ->
  y O = r O -> (forall i, S i < n -> y (S i) = r (S i) + path_carry beta c i * y i) ->
  (forall i, S i < n -> (c + excess beta c i) * x i - c * x (S i) = y i) ->
  forall i, S i < n -> operator path_laplacian beta c x n i = r i.
Proof.
  intros Hpivot H0 Hforward Hbackward i Hi. unfold operator, path_laplacian.
  assert (Hlt := Hi). apply Nat.ltb_lt in Hlt as ->. destruct i as [|i].
  - rewrite <- H0, <- Hbackward by lia. simpl. ring.
  - assert (Hr : r (S i) = y (S i) - path_carry beta c i * y i) by (rewrite Hforward by lia; ring).
    rewrite Hr, <- !Hbackward by lia. unfold path_carry. simpl.
    field. apply Hpivot. lia.
Qed.

Theorem path_fluctuation (beta c : F) (r : nat -> F) n :
  c <> 0 -> (forall i, S i < n -> c + excess beta c i <> 0) ->
  sum (path_homogeneous beta c n) n <> 0 -> sum r n = 0 ->
  let x := solve_fluctuation r (path_factors beta c n) n in
  sum x n = 0 /\ forall i, i < n -> operator path_laplacian beta c x n i = r i.
Proof.
  intros Hc Hpivot Hh Hr. cbn zeta. destruct n as [|n]; [split; [reflexivity | lia]|].
  destruct (path_factors_spec beta c n Hc) as (Hflux & Hp & Hgain & _ & Hclosure).
  destruct (solve_fluctuation_spec r (path_factors beta c (S n)) (S n))
    as (y & y' & z & H0 & Hy & Hy' & Hz & _ & Hx).
  set (f := path_factors beta c (S n)) in *. set (x := solve_fluctuation r f (S n)) in *.
  set (h := path_homogeneous beta c (S n)) in *. rewrite Hflux in Hy'.
  assert (Hsum : sum x (S n) = 0).
  { rewrite (sum_ext x (fun i => z i - sum z (S n) * (h i / sum h (S n))))
      by (intros; rewrite Hx, Hclosure by auto; ring).
    rewrite (sum_sub z), (sum_scale (fun i => h i / sum h (S n))), sum_scaled by auto. ring. }
  split; [exact Hsum|]. apply operator_last; [apply path_is_laplacian | | rewrite Hsum, Hr; ring].
  apply path_rows with (y := y); auto.
  - intros i Hi. rewrite <- Hp by lia. now apply Hy.
  - intros i Hi. assert (Hi' := Hpivot i Hi). rewrite !Hx, !Hclosure, Hz by lia.
    unfold h at 1. rewrite homogeneous_step by lia. fold h.
    rewrite Hgain, Hp, Hy' by lia. unfold path_carry. field. auto.
Qed.

(** T5.one-line *)
Theorem one_line (alpha beta : F) (g : nat -> F) n :
  number n <> 0 :> F -> alpha <> 0 -> beta <> 0 ->
  let k := solve_gram g alpha beta None n in
  (forall i, k i = mean g n / alpha + (g i - mean g n) / beta) /\
  forall laplacian i, i < n -> gram laplacian alpha beta 0 k n i = g i.
Proof.
  intros Hn Ha Hb k. destruct (solve_gram_spec g alpha beta None n Hn) as (r & Hr & Hsum & Hk).
  assert (H : forall i, k i = mean g n / alpha + (g i - mean g n) / beta)
    by (intros; unfold k; rewrite Hk, Hr; ring).
  split; [exact H|]. intros laplacian i _. unfold gram.
  assert (mean k n = mean g n / alpha) as ->; [|rewrite H; field; auto].
  rewrite (mean_ext k (fun i => mean g n / alpha + 1 / beta * r i))
    by (intros; rewrite H, Hr; field; auto).
  apply mean_shift; auto. rewrite (sum_scale r), Hsum. ring.
Qed.

(** From the solution of mean zero to the whole. *)
Lemma gram_of_fluctuation laplacian (alpha beta code_beta c : F) (g : nat -> F) f n :
  is_laplacian laplacian -> number n <> 0 :> F -> alpha <> 0 ->
  (forall r, sum r n = 0 -> let x := solve_fluctuation r f n in
    sum x n = 0 /\ forall i, i < n -> operator laplacian beta c x n i = r i) ->
  let k := solve_gram g alpha code_beta (Some f) n in
  mean k n = mean g n / alpha /\ forall i, i < n -> gram laplacian alpha beta c k n i = g i.
Proof.
  intros HL Hn Ha Hf. cbn zeta.
  destruct (solve_gram_spec g alpha code_beta (Some f) n Hn) as (r & Hr & Hsum & Hk).
  destruct (Hf r Hsum) as [Hx Hrows]. split.
  - rewrite (mean_ext _ _ n (fun i _ => Hk i)). now apply mean_shift.
  - intros i Hi. rewrite (gram_ext laplacian HL _ _ _ _ _ n i (fun j _ => Hk j) Hi).
    rewrite gram_split, Hrows, Hr by auto. field. exact Ha.
Qed.

(** T5.sweeps-path, over any field in which the code's divisors do not vanish. *)
Theorem sweeps_path (alpha beta c : F) (g : nat -> F) n :
  number n <> 0 :> F -> alpha <> 0 -> c <> 0 ->
  (forall i, S i < n -> c + excess beta c i <> 0) -> sum (path_homogeneous beta c n) n <> 0 ->
  let k := solve_gram g alpha beta (Some (path_factors beta c n)) n in
  mean k n = mean g n / alpha /\ forall i, i < n -> gram path_laplacian alpha beta c k n i = g i.
Proof.
  intros Hn Ha Hc Hpivot Hh. apply gram_of_fluctuation; auto using path_is_laplacian.
  intros r Hr. now apply path_fluctuation.
Qed.
End Path.

Section Ordered.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).

Lemma excess_nonnegative (beta c : F) i : nonnegative beta -> positive c ->
  nonnegative (excess beta c i).
Proof.
  intros Hb Hc. induction i as [|i IH]; simpl; auto. apply nonnegative_add; auto.
  apply nonnegative_mul; auto. right. apply positive_div; auto.
  now apply positive_add_nonnegative.
Qed.
Lemma pivot_positive (beta c : F) i : nonnegative beta -> positive c ->
  positive (c + excess beta c i).
Proof. intros. apply positive_add_nonnegative, excess_nonnegative; auto. Qed.
Lemma homogeneous_positive (beta c : F) n i : nonnegative beta -> positive c -> i < n ->
  positive (path_homogeneous beta c n i).
Proof.
  intros Hb Hc Hi. destruct n as [|n]; [lia|].
  remember (n - i)%nat as d eqn:Hd. revert i Hi Hd.
  induction d as [|d IH]; intros i Hi Hd.
  - replace i with n by lia. rewrite homogeneous_last. apply positive_one.
  - rewrite homogeneous_step by lia. apply positive_mul; [|apply IH; lia].
    apply positive_div; auto. now apply pivot_positive.
Qed.
Lemma path_fluctuation_ordered (beta c : F) (r : nat -> F) n :
  nonnegative beta -> positive c -> 0 < n -> sum r n = 0 ->
  let x := solve_fluctuation r (path_factors beta c n) n in
  sum x n = 0 /\ forall i, i < n -> operator path_laplacian beta c x n i = r i.
Proof.
  intros Hb Hc Hn Hr. apply path_fluctuation; auto using positive_nonzero.
  - intros. now apply positive_nonzero, pivot_positive.
  - apply positive_nonzero, sum_positive; auto using homogeneous_positive.
Qed.

(** T5.sweeps-path, with the divisions shown to be possible. *)
Theorem sweeps_path_ordered (alpha beta c : F) (g : nat -> F) n :
  positive alpha -> nonnegative beta -> positive c -> 0 < n ->
  let k := solve_gram g alpha beta (Some (path_factors beta c n)) n in
  mean k n = mean g n / alpha /\ forall i, i < n -> gram path_laplacian alpha beta c k n i = g i.
Proof.
  intros Ha Hb Hc Hn.
  apply gram_of_fluctuation; auto using path_is_laplacian, positive_nonzero, number_nonzero.
  intros r Hr. now apply path_fluctuation_ordered.
Qed.
End Ordered.
