(** T3 on n channels: the mean is kept, and the gradient commutes with what leaves L alone. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Loops Path Cycle Metric.
Require Import Field.
Local Open Scope field_scope.

Section Symmetry.
Context {F : field}.
Add Field field_of_F : (laws F).

Theorem mean_kept laplacian (alpha beta c : F) (k g : nat -> F) n : is_laplacian laplacian ->
  number n <> 0 :> F -> alpha <> 0 ->
  (forall i, i < n -> gram laplacian alpha beta c k n i = g i) -> mean k n = mean g n / alpha.
Proof.
  intros HL Hn Ha H. rewrite <- (mean_ext _ _ n H). unfold gram.
  unfold mean at 2. rewrite (sum_add (fun i => alpha * mean k n + beta * (k i - mean k n))),
    (sum_add (fun _ => alpha * mean k n)), sum_const, (sum_scale (fun i => k i - mean k n)),
    (sum_scale (laplacian k n)), fluctuation_sum, (laplacian_total _ HL) by auto.
  field. auto.
Qed.

Lemma path_reversed (x : nat -> F) n i : i < n ->
  path_laplacian (reversed x n) n i = path_laplacian x n (n - 1 - i).
Proof.
  intros Hi. unfold path_laplacian, reversed. destruct i as [|i].
  - rewrite Nat.sub_0_r. destruct n as [|[|n]]; [lia | reflexivity|].
    replace (S (S n) - 1)%nat with (S n) by lia. replace (S n - 1)%nat with n by lia.
    assert (Nat.ltb 1 (S (S n)) = true) as -> by (apply Nat.ltb_lt; lia).
    rewrite Nat.ltb_irrefl. ring.
  - assert (Nat.ltb (S (n - 1 - S i)) n = true) as -> by (apply Nat.ltb_lt; lia).
    replace (S (n - 1 - S i)) with (n - 1 - i)%nat by lia.
    destruct (Nat.ltb (S (S i)) n) eqn:E; [apply Nat.ltb_lt in E | apply Nat.ltb_ge in E].
    + replace (n - 1 - S i)%nat with (S (n - 1 - S (S i))) by lia. ring.
    + replace (n - 1 - S i)%nat with O by lia. ring.
Qed.
Lemma cycle_reversed (x : nat -> F) n i : i < n ->
  cycle_laplacian (reversed x n) n i = cycle_laplacian x n (n - 1 - i).
Proof.
  intros Hi. unfold cycle_laplacian, reversed.
  assert (n - 1 - prev n i = next n (n - 1 - i))%nat as ->.
  { destruct i as [|i]; cbn [prev].
    - rewrite next_last by lia. lia.
    - rewrite next_inner by lia. lia. }
  assert (n - 1 - next n i = prev n (n - 1 - i))%nat as ->; [|ring].
  destruct (Nat.eq_dec (S i) n) as [E|E].
  - rewrite next_last by auto. replace (n - 1 - i)%nat with O by lia. cbn [prev]. lia.
  - rewrite next_inner by lia. replace (n - 1 - i)%nat with (S (n - 1 - S i)) by lia.
    cbn [prev]. lia.
Qed.
Lemma cycle_rotated (x : nat -> F) n i : i < n ->
  cycle_laplacian (fun i => x (next n i)) n i = cycle_laplacian x n (next n i).
Proof.
  intros Hi. unfold cycle_laplacian. now rewrite next_prev, prev_next by auto.
Qed.
(** A relabelling s of the rows that L does not see. *)
Lemma gram_relabelled laplacian (alpha beta c : F) (s : nat -> nat) (x : nat -> F) n i :
  (forall a, sum (fun i => a (s i)) n = sum a n :> F) ->
  laplacian (fun i => x (s i)) n i = laplacian x n (s i) ->
  gram laplacian alpha beta c (fun i => x (s i)) n i = gram laplacian alpha beta c x n (s i).
Proof. intros Hs HL. unfold gram, mean. now rewrite Hs, HL. Qed.
End Symmetry.

Section Commutes.
Context {F : ordered}.
(** A solver of M k = g commutes with such a relabelling. *)
Lemma commutes laplacian differences (alpha beta c : F) (s : nat -> nat) solve n :
  is_laplacian laplacian -> by_parts laplacian differences -> squares differences ->
  positive alpha -> nonnegative beta -> nonnegative c -> positive (beta + c) ->
  (forall a, sum (fun i => a (s i)) n = sum a n :> F) -> (forall i, i < n -> s i < n) ->
  (forall x i, i < n -> laplacian (fun i => x (s i)) n i = laplacian x n (s i) :> F) ->
  (forall g i, i < n -> gram laplacian alpha beta c (solve g) n i = g i) ->
  forall g i, i < n -> solve (fun i => g (s i)) i = solve g (s i).
Proof.
  intros HL Hparts Hsquares Ha Hb Hc Hbc Hs Hless Hcommutes Hsolve g.
  apply (unique laplacian differences HL Hparts Hsquares alpha beta c _ _ n); auto.
  intros i Hi. rewrite (gram_relabelled laplacian alpha beta c s (solve g) n i) by auto.
  now rewrite !Hsolve by auto.
Qed.

Theorem path_commutes (alpha beta c : F) (g : nat -> F) n :
  positive alpha -> nonnegative beta -> positive c -> 0 < n ->
  let solve g := solve_gram g alpha beta (Some (path_factors beta c n)) n in
  forall i, i < n -> solve (reversed g n) i = reversed (solve g) n i.
Proof.
  intros Ha Hb Hc Hn solve. apply (commutes path_laplacian path_differences alpha beta c
    (fun i => n - 1 - i)%nat solve n);
    auto using path_is_laplacian, path_by_parts, path_squares, nonnegative_positive.
  - apply positive_add_nonnegative with (x := c) (y := beta) in Hb; auto.
    replace (beta + c) with (c + beta); auto. apply (Ring_theory.Radd_comm (F_R (laws F))).
  - intros a. apply sum_reversed.
  - intros. lia.
  - intros x i Hi. now apply path_reversed.
  - intros. now apply sweeps_path_ordered.
Qed.
Theorem cycle_commutes (alpha beta c E : F) (g : nat -> F) n :
  positive alpha -> nonnegative E -> positive c -> beta * (c + E) = E * E -> nonnegative beta -> 0 < n ->
  let solve g := solve_gram g alpha beta (Some (cycle_factors c E n)) n in
  forall i, i < n -> solve (reversed g n) i = reversed (solve g) n i /\
    solve (fun i => g (next n i)) i = solve g (next n i).
Proof.
  intros Ha HE Hc Hbeta Hb Hn solve i Hi.
  assert (Hbc : positive (beta + c)).
  { apply positive_add_nonnegative with (x := c) (y := beta) in Hb; auto.
    replace (beta + c) with (c + beta); auto. apply (Ring_theory.Radd_comm (F_R (laws F))). }
  assert (Hsolve : forall g i, i < n -> gram cycle_laplacian alpha beta c (solve g) n i = g i)
    by (intros; now apply sweeps_cycle).
  split.
  - apply (commutes cycle_laplacian cycle_differences alpha beta c (fun i => n - 1 - i)%nat solve n);
      auto using cycle_is_laplacian, cycle_by_parts, cycle_squares, nonnegative_positive.
    + intros a. apply sum_reversed.
    + intros. lia.
    + intros x j Hj. now apply cycle_reversed.
  - apply (commutes cycle_laplacian cycle_differences alpha beta c (next n) solve n);
      auto using cycle_is_laplacian, cycle_by_parts, cycle_squares, nonnegative_positive, sum_next, next_less.
    intros x j Hj. now apply cycle_rotated.
Qed.
End Commutes.
