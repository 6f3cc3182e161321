(** T1, T2 and T3 on n channels: M represents the form, is definite, and so has one inverse. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Path.
Require Import Field.
Local Open Scope field_scope.

Section ByParts.
Context {F : field}.
Add Field field_of_F : (laws F).

Definition by_parts (laplacian : (nat -> F) -> nat -> nat -> F) differences : Prop :=
  forall h k n, sum (fun i => h i * laplacian k n i) n = differences h k n.

Lemma path_by_parts : by_parts path_laplacian path_differences.
Proof.
  intros h k n. unfold path_differences.
  assert (H : forall m, m < n -> sum (fun i => h i * path_laplacian k n i) m
    = sum (fun i => (h (S i) - h i) * (k (S i) - k i)) m
      + (match m with O => 0 | S j => h m * (k j - k m) end)).
  { induction m as [|m IH]; intros Hm; [simpl; ring|]. cbn [sum]. rewrite IH by lia.
    unfold path_laplacian. apply Nat.ltb_lt in Hm as ->. destruct m; ring. }
  destruct n as [|n]; [reflexivity|]. cbn [sum]. rewrite H by lia.
  replace (S n - 1)%nat with n by lia. unfold path_laplacian. rewrite Nat.ltb_irrefl.
  destruct n; ring.
Qed.
Lemma cycle_by_parts : by_parts cycle_laplacian cycle_differences.
Proof.
  intros h k n. unfold cycle_differences, cycle_laplacian.
  rewrite (sum_ext _ (fun i => h i * (k i - k (prev n i)) - h i * (k (next n i) - k i)))
    by (intros; ring).
  rewrite (sum_sub (fun i => h i * (k i - k (prev n i)))).
  rewrite <- (sum_next (fun i => h i * (k i - k (prev n i)))), <- sum_sub.
  apply sum_ext. intros i Hi. rewrite prev_next by auto. ring.
Qed.

Variable laplacian : (nat -> F) -> nat -> nat -> F.
Variable differences : (nat -> F) -> (nat -> F) -> nat -> F.
Hypothesis HL : is_laplacian laplacian.
Hypothesis Hparts : by_parts laplacian differences.
Hypothesis symmetric : forall h k n, differences h k n = differences k h n.

Theorem represents (alpha beta c : F) (h k : nat -> F) n : number n <> 0 :> F ->
  sum (fun i => h i * gram laplacian alpha beta c k n i) n = form differences alpha beta c h k n.
Proof.
  intros Hn. unfold form. rewrite <- (Hparts h k n).
  rewrite (sum_ext (fun i => h i * gram laplacian alpha beta c k n i)
    (fun i => (alpha * mean k n * h i + beta * ((h i - mean h n) * (k i - mean k n)))
      + (beta * mean h n * (k i - mean k n) + c * (h i * laplacian k n i))))
    by (intros; unfold gram; ring).
  rewrite (sum_add (fun i => alpha * mean k n * h i + beta * ((h i - mean h n) * (k i - mean k n)))),
    (sum_add (fun i => alpha * mean k n * h i)), (sum_add (fun i => beta * mean h n * (k i - mean k n))),
    (sum_scale h), (sum_scale (fun i => (h i - mean h n) * (k i - mean k n))),
    (sum_scale (fun i => k i - mean k n)), (sum_scale (fun i => h i * laplacian k n i)),
    fluctuation_sum, (mean_sum h) by auto.
  ring.
Qed.
(** (beta I + c L) is symmetric. *)
Theorem operator_symmetric (beta c : F) (h k : nat -> F) n :
  sum (fun i => h i * operator laplacian beta c k n i) n
  = sum (fun i => operator laplacian beta c h n i * k i) n.
Proof.
  rewrite (sum_ext _ (fun i => beta * (h i * k i) + c * (h i * laplacian k n i)))
    by (intros; unfold operator; ring).
  rewrite (sum_ext (fun i => operator laplacian beta c h n i * k i)
    (fun i => beta * (h i * k i) + c * (k i * laplacian h n i)))
    by (intros; unfold operator; ring).
  rewrite !(sum_add (fun i => beta * (h i * k i))), !(sum_scale (fun i => h i * laplacian k n i)),
    !(sum_scale (fun i => k i * laplacian h n i)), (Hparts h k n), (Hparts k h n), symmetric.
  reflexivity.
Qed.
End ByParts.

Lemma path_symmetric {F : field} (h k : nat -> F) n : path_differences h k n = path_differences k h n.
Proof.
  unfold path_differences. apply sum_ext. intros.
  apply (Ring_theory.Rmul_comm (F_R (laws F))).
Qed.
Lemma cycle_symmetric {F : field} (h k : nat -> F) n : cycle_differences h k n = cycle_differences k h n.
Proof.
  unfold cycle_differences. apply sum_ext. intros.
  apply (Ring_theory.Rmul_comm (F_R (laws F))).
Qed.

Section Definite.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).

(** Differences are squares, and vanish on constants only. *)
Definition squares (differences : (nat -> F) -> (nat -> F) -> nat -> F) : Prop := forall h n,
  nonnegative (differences h h n) /\
  (differences h h n = 0 -> forall i, S i < n -> h (S i) = h i).
Lemma path_squares : squares path_differences.
Proof.
  intros h n. unfold path_differences. split; [apply sum_squares|]. intros H i Hi.
  apply sub_zero. apply (sum_squares_zero (fun i => h (S i) - h i) (n - 1)); [exact H | lia].
Qed.
Lemma cycle_squares : squares cycle_differences.
Proof.
  intros h n. unfold cycle_differences. split; [apply (sum_squares (fun i => h (next n i) - h i))|].
  intros H i Hi. apply sub_zero. rewrite <- (next_inner n i Hi).
  apply (sum_squares_zero (fun i => h (next n i) - h i) n); [exact H | lia].
Qed.

Variable laplacian : (nat -> F) -> nat -> nat -> F.
Variable differences : (nat -> F) -> (nat -> F) -> nat -> F.
Hypothesis HL : is_laplacian laplacian.
Hypothesis Hparts : by_parts laplacian differences.
Hypothesis Hsquares : squares differences.

Theorem positive_definite (alpha beta c : F) (h : nat -> F) n :
  positive alpha -> nonnegative beta -> nonnegative c -> positive (beta + c) ->
  nonnegative (form differences alpha beta c h h n) /\
  (form differences alpha beta c h h n = 0 -> forall i, i < n -> h i = 0).
Proof.
  intros Ha Hb Hc Hbc. destruct n as [|n].
  { split; [|lia]. unfold form. destruct (Hsquares h O) as [H _].
    apply nonnegative_add; [left; simpl; ring|]. now apply nonnegative_mul. }
  assert (Hn := positive_number (F := F) n).
  set (m := mean h (S n)).
  assert (H1 : nonnegative (alpha * number (S n) * m * m)).
  { replace (alpha * number (S n) * m * m) with ((alpha * number (S n)) * (m * m)) by ring.
    apply nonnegative_mul; [right; now apply positive_mul | apply nonnegative_square]. }
  assert (H2 := nonnegative_mul _ _ Hb (sum_squares (fun i => h i - m) (S n))).
  destruct (Hsquares h (S n)) as [Hsq Hconst].
  assert (H3 := nonnegative_mul _ _ Hc Hsq).
  unfold form. fold m. split; [repeat apply nonnegative_add; assumption|]. intros H.
  apply nonnegative_sum_zero in H as [H H3']; auto; [|now apply nonnegative_add].
  apply nonnegative_sum_zero in H as [H1' H2']; auto.
  assert (Hm : m = 0).
  { destruct (square m) as [E|E]; auto. exfalso.
    apply (positive_nonzero (alpha * number (S n) * (m * m))); [|rewrite <- H1'; ring].
    apply positive_mul; auto. now apply positive_mul. }
  intros i Hi. destruct Hb as [->|Hb].
  - assert (Hc' : c <> 0) by (apply positive_nonzero; now replace c with (0 + c) by ring).
    assert (Hall : forall j, j < S n -> h j = h O).
    { assert (E := Hconst (mul_zero c _ Hc' H3')).
      induction j as [|j IH]; intros Hj; auto. rewrite E, IH by lia. reflexivity. }
    rewrite Hall by lia. rewrite <- Hm. unfold m, mean.
    rewrite (sum_ext h (fun _ => h O)) by auto. rewrite sum_const. field. now apply positive_nonzero.
  - transitivity (h i - m + m); [ring|].
    rewrite (sum_squares_zero (fun i => h i - m) (S n)
      (mul_zero beta _ (positive_nonzero _ Hb) H2') i Hi), Hm. ring.
Qed.

(** The solution of M k = g is unique. *)
Theorem unique (alpha beta c : F) (h k : nat -> F) n :
  positive alpha -> nonnegative beta -> nonnegative c -> positive (beta + c) ->
  (forall i, i < n -> gram laplacian alpha beta c h n i = gram laplacian alpha beta c k n i) ->
  forall i, i < n -> h i = k i.
Proof.
  intros Ha Hb Hc Hbc H i Hi. assert (Hn := number_nonzero (F := F) n ltac:(lia)).
  set (d := fun i => 1 * h i + (- (1)) * k i).
  assert (Hd : d i = 0).
  { apply (positive_definite alpha beta c d n); auto.
    rewrite <- (represents laplacian differences Hparts) by auto.
    apply sum_zero. intros j Hj. assert (E := H j Hj). unfold gram in *.
    assert (mean d n = mean h n - mean k n) as ->.
    { unfold mean, d. rewrite (sum_add (fun i => 1 * h i)), (sum_scale h), (sum_scale k). now field. }
    unfold d at 2 3. rewrite (laplacian_linear _ HL).
    transitivity (d j * ((alpha * mean h n + beta * (h j - mean h n) + c * laplacian h n j)
      - (alpha * mean k n + beta * (k j - mean k n) + c * laplacian k n j))); [ring|].
    rewrite E. ring. }
  transitivity (d i + k i); [unfold d; ring | rewrite Hd; ring].
Qed.
End Definite.
