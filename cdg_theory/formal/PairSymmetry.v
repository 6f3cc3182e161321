(** T18.symmetry: with a curvature term M has one inverse, which commutes with what leaves L alone. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Metric Symmetry PairPath PairCycle.
Require Import Field.
Local Open Scope field_scope.

Section SecondOrder.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).
Variable laplacian : (nat -> F) -> nat -> nat -> F.
Variable differences : (nat -> F) -> (nat -> F) -> nat -> F.
Hypothesis HL : is_laplacian laplacian.
Hypothesis Hparts : by_parts laplacian differences.
Hypothesis Hsymmetric : forall h k n, differences h k n = differences k h n.
Hypothesis Hsquares : squares differences.
Variables alpha beta c d : F.
Hypothesis Ha : positive alpha.
Hypothesis Hb : nonnegative beta.
Hypothesis Hc : nonnegative c.
Hypothesis Hd : positive d.
Local Notation M := (second_order laplacian alpha beta c d).

(** h^T M h = 0 for h = 0 only: its parts are not negative, and that of d is a sum of squares of L h. *)
Lemma second_order_definite (h : nat -> F) n : 0 < n ->
  sum (fun i => h i * M h n i) n = 0 -> forall i, i < n -> h i = 0.
Proof.
  intros Hn H. assert (Hn0 := number_nonzero (F := F) n Hn). set (Lh := laplacian h n).
  assert (Hsum : sum (fun i => h i * M h n i) n
    = form differences alpha beta c h h n + d * sum (fun i => Lh i * Lh i) n).
  { rewrite <- (represents laplacian differences Hparts) by auto.
    change (sum (fun i => Lh i * Lh i) n) with (sum (fun i => Lh i * laplacian h n i) n).
    rewrite (Hparts Lh h n), Hsymmetric, <- (Hparts h Lh n), <- sum_scale, <- sum_add.
    apply sum_ext. intros i Hi. unfold second_order. fold Lh. ring. }
  rewrite Hsum in H.
  assert (Hmean : form differences alpha beta c h h n
    = alpha * number n * (mean h n * mean h n) + (beta * sum (fun i => (h i - mean h n) * (h i - mean h n)) n
      + c * differences h h n)) by (unfold form; ring).
  destruct (Hsquares h n) as [Hdiff _].
  assert (H1 : nonnegative (alpha * number n * (mean h n * mean h n))).
  { apply nonnegative_mul; [|apply nonnegative_square]. right. apply positive_mul; auto.
    destruct n as [|n]; [lia | apply positive_number]. }
  assert (H2 := nonnegative_add _ _ (nonnegative_mul _ _ Hb (sum_squares (fun i => h i - mean h n) n))
    (nonnegative_mul _ _ Hc Hdiff)).
  rewrite Hmean in H. apply nonnegative_sum_zero in H as [H H3];
    [|now apply nonnegative_add | apply nonnegative_mul; [now right | apply sum_squares]].
  apply nonnegative_sum_zero in H as [H _]; auto.
  apply mul_zero in H3; [|now apply positive_nonzero].
  assert (Hzero := sum_squares_zero Lh n H3).
  apply (positive_definite differences Hsquares alpha 0 1 h n Ha); auto using nonnegative_zero.
  - right. apply positive_one.
  - replace (0 + 1 : F) with (1 : F) by ring. apply positive_one.
  - unfold form. rewrite <- (Hparts h h n), (sum_zero (fun i => h i * laplacian h n i))
      by (intros i Hi; fold Lh; rewrite Hzero by auto; ring).
    transitivity (alpha * number n * (mean h n * mean h n)); [ring | exact H].
Qed.
Lemma second_order_unique (h k : nat -> F) n : (forall i, i < n -> M h n i = M k n i) ->
  forall i, i < n -> h i = k i.
Proof.
  intros H i Hi. set (z := fun i => 1 * h i + (- (1)) * k i).
  assert (Hn := number_nonzero (F := F) n ltac:(lia)).
  assert (Hmean : mean z n = mean h n - mean k n).
  { unfold mean, z. rewrite (sum_add (fun i => 1 * h i)), (sum_scale h), (sum_scale k). now field. }
  assert (Hz : z i = 0).
  { apply (second_order_definite z n); auto; [lia|]. apply sum_zero. intros j Hj.
    enough (M z n j = M h n j - M k n j) as -> by (rewrite H by auto; ring).
    unfold second_order, gram. rewrite Hmean.
    rewrite (laplacian_local _ HL (laplacian z n)
      (fun i => 1 * laplacian h n i + (- (1)) * laplacian k n i) n j)
      by (auto; intros; apply (laplacian_linear _ HL)).
    unfold z at 2. rewrite !(laplacian_linear _ HL). unfold z. ring. }
  transitivity (z i + k i); [unfold z; ring | rewrite Hz; ring].
Qed.

Lemma second_order_commutes (s : nat -> nat) solve n :
  (forall a, sum (fun i => a (s i)) n = sum a n :> F) -> (forall i, i < n -> s i < n) ->
  (forall x i, i < n -> laplacian (fun i => x (s i)) n i = laplacian x n (s i) :> F) ->
  (forall g i, i < n -> M (solve g) n i = g i) ->
  forall g i, i < n -> solve (fun i => g (s i)) i = solve g (s i).
Proof.
  intros Hs Hless Hcommutes. apply (commutes (fun x i => M x n i)); auto.
  - intros h k. apply second_order_unique.
  - intros x i Hi. unfold second_order. rewrite (gram_relabelled laplacian) by auto.
    rewrite (laplacian_local _ HL (laplacian (fun i => x (s i)) n) (fun i => laplacian x n (s i)) n i)
      by auto.
    now rewrite Hcommutes by auto.
Qed.
End SecondOrder.

Section Code.
Context {F : ordered}.
Variables (alpha beta c d : F) (n : nat).
Hypothesis Ha : positive alpha.
Hypothesis Hb : nonnegative beta.
Hypothesis Hc : nonnegative c.
Hypothesis Hd : positive d.
Local Notation solve periodic :=
  (fun g => solve_second_order g alpha (curvature_factors beta c d n periodic) n).

Theorem path_reverses g i : i < n -> solve false (reversed g n) i = reversed (solve false g) n i.
Proof.
  intros Hi. apply (second_order_commutes path_laplacian path_differences path_is_laplacian
    path_by_parts path_symmetric path_squares alpha beta c d Ha Hb Hc Hd (fun i => n - 1 - i)%nat
    (solve false) n); auto.
  - intros a. apply sum_reversed.
  - intros. lia.
  - intros x j Hj. now apply path_reversed.
  - intros. apply second_order_path; auto. lia.
Qed.
Theorem cycle_turns (s : nat -> nat) g i : i < n ->
  (forall a, sum (fun i => a (s i)) n = sum a n :> F) -> (forall i, i < n -> s i < n) ->
  (forall x i, i < n -> cycle_laplacian (fun i => x (s i)) n i = cycle_laplacian x n (s i) :> F) ->
  solve true (fun i => g (s i)) i = solve true g (s i).
Proof.
  intros Hi Hs Hless HL. apply (second_order_commutes cycle_laplacian cycle_differences
    cycle_is_laplacian cycle_by_parts cycle_symmetric cycle_squares alpha beta c d Ha Hb Hc Hd s
    (solve true) n); auto. intros. apply second_order_cycle; auto. lia.
Qed.
Theorem cycle_reverses g i : i < n -> solve true (reversed g n) i = reversed (solve true g) n i.
Proof.
  intros Hi. apply (cycle_turns (fun i => n - 1 - i)%nat); auto.
  - intros a. apply sum_reversed.
  - intros. lia.
  - intros x j Hj. now apply cycle_reversed.
Qed.
Theorem cycle_rotates g i : i < n -> solve true (fun i => g (next n i)) i = solve true g (next n i).
Proof.
  intros Hi. apply (cycle_turns (next n)); auto using sum_next, next_less.
  intros x j Hj. now apply cycle_rotated.
Qed.
End Code.
