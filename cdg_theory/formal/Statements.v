(** What is proved, in full, under the ledger's ids: T5_sweeps_path is T5.sweeps-path.

    To know what is said, read this file, the definitions in Fields, Arrays, Definitions and Sharded,
    and Code, which is generated from the Python code. Each claim is a definition with what is claimed as its
    argument, as a check of the ledger is a function of it; Refuted.v shows the same claims with a
    wrong argument to be false. *)
From Coq Require Import ZArith Reals.
From Cdg Require Import Fields Arrays Code Definitions Sharded.
From Cdg Require Sums Order Path Cycle RealNumbers RunningSums Inverse Resolvent Circulant Metric Symmetry
  Exchangeable Pairs PairPath PairCycle PairSymmetry Blocks Flux Whole.
Local Open Scope field_scope.

(** A Laplacian, for all fields: row i of L x, for x with n rows. *)
Definition matrix := forall F : field, (nat -> F) -> nat -> nat -> F.
Definition differences := forall F : field, (nat -> F) -> (nat -> F) -> nat -> F.

(** * The algorithms: T5 *)

(** k = mean / alpha + (g - mean) / beta, and M k = g: over any field, whatever L is. *)
Definition one_line (divisor : forall F : field, F -> F) := forall (F : field) (alpha beta : F) g n,
  number n <> 0 :> F -> alpha <> 0 -> beta <> 0 ->
  let k := solve_gram g alpha beta None n in
  (forall i, k i = mean g n / alpha + (g i - mean g n) / divisor F beta) /\
  forall L i, i < n -> gram L alpha beta 0 k n i = g i.
Theorem T5_one_line : one_line (fun F beta => beta).
Proof. exact @Path.one_line. Qed.

(** The sweeps solve M k = g for every n, all weights and all g; the mean of k is that of g over
    alpha. Over any field if no divisor vanishes, and in ordered fields none does. *)
Definition sweeps_path (L : matrix) := forall (F : ordered) (alpha beta c : F) g n,
  positive alpha -> nonnegative beta -> positive c -> 0 < n ->
  let k := solve_gram g alpha beta (Some (path_factors beta c n)) n in
  mean k n = mean g n / alpha /\ forall i, i < n -> gram (L F) alpha beta c k n i = g i.
Theorem T5_sweeps_path : sweeps_path (@path_laplacian).
Proof. exact @Path.sweeps_path_ordered. Qed.
Theorem T5_sweeps_path_any_field : forall (F : field) (alpha beta c : F) g n,
  number n <> 0 :> F -> alpha <> 0 -> c <> 0 ->
  (forall i, S i < n -> c + excess beta c i <> 0) -> sum (path_homogeneous beta c n) n <> 0 ->
  let k := solve_gram g alpha beta (Some (path_factors beta c n)) n in
  mean k n = mean g n / alpha /\ forall i, i < n -> gram path_laplacian alpha beta c k n i = g i.
Proof. exact @Path.sweeps_path. Qed.

(** On the cycle the code is given E >= 0 with E^2 = beta (c + E); over the reals it is its root. *)
Definition sweeps_cycle (L : matrix) := forall (F : ordered) (alpha beta unread c E : F) g n,
  positive alpha -> nonnegative E -> positive c -> beta * (c + E) = E * E -> 0 < n ->
  let k := solve_gram g alpha unread (Some (cycle_factors c E n)) n in
  mean k n = mean g n / alpha /\ forall i, i < n -> gram (L F) alpha beta c k n i = g i.
Theorem T5_sweeps_cycle : sweeps_cycle (@cycle_laplacian).
Proof. exact @Cycle.sweeps_cycle. Qed.
Theorem T5_sweeps_cycle_real : forall (alpha beta c : R) g n,
  (0 < alpha)%R -> (0 <= beta)%R -> (0 < c)%R -> 0 < n ->
  let E := cycle_excess (F := RealNumbers.reals) sqrt beta c in
  let factors := cycle_factors (F := RealNumbers.reals) c E n in
  let k := solve_gram (F := RealNumbers.reals) g alpha beta (Some factors) n in
  forall i, i < n -> gram (F := RealNumbers.reals) cycle_laplacian alpha beta c k n i = g i.
Proof. exact RealNumbers.real_cycle. Qed.

(** At beta = 0 the sweeps are two running sums, with the mean taken off. *)
Definition running_sums (sums : forall F : field, (nat -> F) -> nat -> nat -> F) :=
  forall (F : field) (c : F) r n, c <> 0 -> number n <> 0 :> F ->
  let x := solve_fluctuation r (path_factors 0 c n) n in
  forall i, i < n -> x i = (sums F r n i - mean (sums F r n) n) / c.
Theorem T5_running_sums : running_sums (@running).
Proof. exact @RunningSums.running_sums. Qed.

(** Pivots and homogeneous solution in powers of r, beta = c (1 - r)^2 / r. *)
Definition pivots (exponent : Z -> Z) := forall (F : field) (c : F) (power : Z -> F) n,
  powers power -> c <> 0 -> (forall i, (0 <= i)%Z -> 1 + power (2 * i + 1)%Z <> 0) ->
  let r := power 1%Z in let beta := c * (1 - r) * (1 - r) / r in
  (forall i, c + excess beta c i
    = c * (1 + power (exponent (Z.of_nat i) + 2)%Z) / (r * (1 + power (exponent (Z.of_nat i))))) /\
  forall i, i < n -> path_homogeneous beta c n i
    = power (Z.of_nat n - 1 - Z.of_nat i)%Z * (1 + power (2 * Z.of_nat i + 1)%Z)
      / (1 + power (2 * Z.of_nat n - 1)%Z).
Theorem T5_pivots : pivots (fun i => 2 * i + 1)%Z.
Proof.
  intros F c power n Hp Hc Ho. destruct (@RunningSums.pivots F c power n Hp Hc Ho) as [H1 H2].
  split; [|exact H2]. intros i. rewrite H1. do 3 f_equal. f_equal. lia.
Qed.

(** * The closed forms of the inverse: T5. Column j of the inverse solves M k = e_j. *)

Definition inverse_h0 (weight : forall F : field, F -> F) :=
  forall (F : field) L (alpha beta : F) n j, Sums.is_laplacian L ->
  number n <> 0 :> F -> alpha <> 0 -> beta <> 0 -> j < n ->
  let k := fun i => 1 / (number n * alpha) + h0_entry (delta i j) (number n) (weight F beta) in
  forall i, i < n -> gram L alpha beta 0 k n i = delta i j.
Theorem T5_inverse_h0 : inverse_h0 (fun F beta => beta).
Proof. intros F L. exact (Inverse.h0_inverse L). Qed.

Definition inverse_path (min max : nat -> nat -> nat) := forall F : field,
  number 2 <> 0 :> F -> number 3 <> 0 :> F -> forall (alpha c : F) n j,
  alpha <> 0 -> c <> 0 -> number n <> 0 :> F -> j < n ->
  let k := fun i => 1 / (number n * alpha)
    + path_entry (number (min i j)) (number (max i j)) (number n) / c in
  forall i, i < n -> gram path_laplacian alpha 0 c k n i = delta i j.
Theorem T5_inverse_path : inverse_path Nat.min Nat.max.
Proof. exact @Inverse.path_inverse. Qed.

Definition inverse_cycle (nodes : nat -> nat) := forall (F : field) (alpha c : F) n j,
  number 2 <> 0 :> F -> number 3 <> 0 :> F ->
  alpha <> 0 -> c <> 0 -> number n <> 0 :> F -> j < n ->
  let k := fun i => 1 / (number n * alpha)
    + cycle_entry (number (distance i j)) (number (nodes n)) / c in
  forall i, i < n -> gram cycle_laplacian alpha 0 c k n i = delta i j.
Theorem T5_inverse_cycle : inverse_cycle (fun n => n).
Proof. exact @Circulant.cycle_inverse. Qed.

(** In powers of r, beta = c (1 - r)^2 / r. *)
Definition resolvent_path (L : matrix) := forall (F : field) (power : Z -> F) (c : F) n,
  powers power -> let r := power 1%Z in let N := power (Z.of_nat n) in
  c <> 0 -> r * r <> 1 -> N * N <> 1 -> r <> 1 ->
  forall alpha j, number n <> 0 :> F -> alpha <> 0 -> j < n ->
  let beta := c * (1 - r) * (1 - r) / r in
  let k := fun i => 1 / (number n * alpha)
    + (path_resolvent (Z.of_nat (Nat.min i j)) (Z.of_nat (Nat.max i j)) (Z.of_nat n) c power
       - 1 / (number n * beta)) in
  forall i, i < n -> gram (L F) alpha beta c k n i = delta i j.
Theorem T5_resolvent_path : resolvent_path (@path_laplacian).
Proof. exact @Resolvent.path_resolvent_inverse. Qed.

Definition resolvent_cycle (nodes : nat -> Z) := forall (F : field) (power : Z -> F) (c : F) n,
  powers power -> let r := power 1%Z in let N := power (Z.of_nat n) in
  c <> 0 -> r * r <> 1 -> N <> 1 ->
  forall alpha j, r <> 1 -> number n <> 0 :> F -> alpha <> 0 -> j < n ->
  let beta := c * (1 - r) * (1 - r) / r in
  let k := fun i => 1 / (number n * alpha)
    + (cycle_resolvent (Z.of_nat (distance i j)) (nodes n) c power - 1 / (number n * beta)) in
  forall i, i < n -> gram cycle_laplacian alpha beta c k n i = delta i j.
Theorem T5_resolvent_cycle : resolvent_cycle Z.of_nat.
Proof. exact @Circulant.cycle_resolvent_inverse. Qed.

(** The path is half of a cycle of 2 n nodes; what the cycle has less at distance u than at 0. *)
Definition images (mirrored : Z -> Z -> Z) := forall (F : field) (power : Z -> F) (c : F) n,
  powers power -> let r := power 1%Z in let N := power (Z.of_nat n) in
  c <> 0 -> r * r <> 1 -> N * N <> 1 -> forall lo hi,
  path_resolvent lo hi (Z.of_nat n) c power
  = cycle_resolvent (hi - lo)%Z (Z.of_nat (2 * n)) c power
    + cycle_resolvent (mirrored lo hi) (Z.of_nat (2 * n)) c power.
Theorem T5_images : images (fun lo hi => lo + hi + 1)%Z.
Proof. exact @Circulant.images. Qed.
Theorem T5_images_drop : forall (F : field) (power : Z -> F) (c : F) n, powers power ->
  c <> 0 -> power 1%Z * power 1%Z <> 1 -> power (Z.of_nat n) <> 1 -> forall u,
  cycle_resolvent 0%Z (Z.of_nat n) c power - cycle_resolvent u (Z.of_nat n) c power
  = cycle_drop u (Z.of_nat n) (c * (power (-1)%Z - power 1%Z)) (fun e => 1 - power e).
Proof. exact @Circulant.drop. Qed.
Theorem T5_images_at_rest : forall F : field, number 2 <> 0 :> F -> number 3 <> 0 :> F ->
  forall i j n c : F, n <> 0 -> c <> 0 ->
  path_entry i j n = cycle_entry (j - i) (number 2 * n) + cycle_entry (i + j + 1) (number 2 * n) /\
  forall u, (cycle_entry 0 n - cycle_entry u n) / c = u / (number 2 * c) * ((n - u) / n).
Proof. exact @Inverse.entries_folded. Qed.

(** * The matrix and the form: T1, T2, T3 *)

(** h^T M k is the form, a sum of squares for h = k, by summation by parts. *)
Definition squares (L : matrix) (D : differences) := forall (F : field) (alpha beta c : F) h k n,
  number n <> 0 :> F ->
  sum (fun i => h i * gram (L F) alpha beta c k n i) n = form (D F) alpha beta c h k n.
Theorem T1_discrete_squares : squares (@path_laplacian) (@path_differences)
  /\ squares (@cycle_laplacian) (@cycle_differences).
Proof.
  split; intros F; apply Metric.represents; [apply Metric.path_by_parts | apply Metric.cycle_by_parts].
Qed.
Definition definite (D : differences) := forall (F : ordered) (alpha beta c : F) h n,
  positive alpha -> nonnegative beta -> nonnegative c -> positive (beta + c) ->
  nonnegative (form (D F) alpha beta c h h n) /\
  (form (D F) alpha beta c h h n = 0 -> forall i, i < n -> h i = 0).
Theorem T1_discrete_squares_definite : definite (@path_differences) /\ definite (@cycle_differences).
Proof.
  split; intros F; apply Metric.positive_definite; [apply Metric.path_squares | apply Metric.cycle_squares].
Qed.
(** T2 on n channels, the gradient in a metric: <h, g> is the form of h and the k with M k = g, and
    there is one such k only. *)
Definition riesz (L : matrix) (D : differences) := forall (F : ordered) (alpha beta c : F) g k n,
  positive alpha -> nonnegative beta -> nonnegative c -> positive (beta + c) -> 0 < n ->
  (forall i, i < n -> gram (L F) alpha beta c k n i = g i) ->
  (forall h, sum (fun i => h i * g i) n = form (D F) alpha beta c h k n) /\
  forall k', (forall i, i < n -> gram (L F) alpha beta c k' n i = g i) ->
  forall i, i < n -> k' i = k i.
Theorem T1_discrete_squares_riesz : riesz (@path_laplacian) (@path_differences)
  /\ riesz (@cycle_laplacian) (@cycle_differences).
Proof.
  split; intros F alpha beta c g k n Ha Hb Hc Hbc Hn H; split.
  - intros h. rewrite <- (Metric.represents _ _ (Metric.path_by_parts (F := F)))
      by now apply Order.number_nonzero. apply Sums.sum_ext. intros i Hi. now rewrite H.
  - intros k' H'. apply (Metric.unique _ _ Sums.path_is_laplacian Metric.path_by_parts
      Metric.path_squares alpha beta c); auto. intros. now rewrite H', H.
  - intros h. rewrite <- (Metric.represents _ _ (Metric.cycle_by_parts (F := F)))
      by now apply Order.number_nonzero. apply Sums.sum_ext. intros i Hi. now rewrite H.
  - intros k' H'. apply (Metric.unique _ _ Sums.cycle_is_laplacian Metric.cycle_by_parts
      Metric.cycle_squares alpha beta c); auto. intros. now rewrite H', H.
Qed.

(** The gradient's mean is that of g over alpha. *)
Definition mean_kept (rows : nat -> nat) := forall (F : field) L (alpha beta c : F) k g n,
  Sums.is_laplacian L -> number n <> 0 :> F -> alpha <> 0 ->
  (forall i, i < rows n -> gram L alpha beta c k n i = g i) -> mean k n = mean g n / alpha.
Theorem T3_discrete_mean : mean_kept (fun n => n).
Proof. intros F L. exact (Symmetry.mean_kept L). Qed.

(** The path's gradient commutes with the reversal of the rows, the cycle's with it and with
    rotations. *)
Definition path_commutes (relabelled : forall F : field, (nat -> F) -> nat -> nat -> F) :=
  forall (F : ordered) (alpha beta c : F) g n,
  positive alpha -> nonnegative beta -> positive c -> 0 < n ->
  let solve g := solve_gram g alpha beta (Some (path_factors beta c n)) n in
  forall i, i < n -> solve (relabelled F g n) i = relabelled F (solve g) n i.
Theorem T3_discrete_symmetry : path_commutes (@reversed).
Proof. exact @Symmetry.path_commutes. Qed.
Theorem T3_discrete_symmetry_cycle : forall (F : ordered) (alpha beta c E : F) g n,
  positive alpha -> nonnegative E -> positive c -> beta * (c + E) = E * E -> nonnegative beta -> 0 < n ->
  let solve g := solve_gram g alpha beta (Some (cycle_factors c E n)) n in
  forall i, i < n -> solve (reversed g n) i = reversed (solve g) n i /\
    solve (fun i => g (next n i)) i = solve g (next n i).
Proof. exact @Symmetry.cycle_commutes. Qed.

(** Re-weighted H0: at lambda = 1 it is the ordinary gradient, and what it leaves beside the mean is
    less than any eps for all lambda beyond some bound. *)
Definition h0_limits (beyond : forall F : ordered, F -> F -> Prop) :=
  forall (F : ordered) (g : nat -> F) n i eps, 0 < n -> positive eps ->
  solve_gram g 1 1 None n i = g i /\
  exists bound, positive bound /\ forall lam, beyond F bound lam ->
    let rest := solve_gram g 1 lam None n i - mean g n in positive (eps - rest) /\ positive (eps + rest).
Theorem T3_discrete_h0 : h0_limits (fun F bound lam => positive (lam - bound)).
Proof. exact @Symmetry.h0_limits. Qed.
(** It commutes with every permutation of the rows. *)
Theorem T3_discrete_h0_permutations : forall (F : field) (alpha beta : F) g n p i,
  number n <> 0 :> F -> permutation p n ->
  solve_gram (fun i => g (p i)) alpha beta None n i = solve_gram g alpha beta None n (p i).
Proof. exact @Symmetry.h0_permutes. Qed.

(** * With a curvature term: T18 *)

(** Elements (a, b) of curvature.py's ring: its products, sums and inverses are those of a commutative
    ring, in which T^2 = p T - q. *)
Definition ring_of_pairs (constant : forall F : field, F -> F) := forall (F : field) (beta c d : F), d <> 0 ->
  let R := {| ring_c := c; ring_omega := beta * d |} in
  let T := (c / d, - (1 / d)) in
  let determinant (y : F * F) := fst y * (fst y + c * snd y) + beta * d * snd y * snd y in
  Ring_theory.ring_theory (0, 0) (1, 0) _plus (Ring_times R) _minus (fun y => (- fst y, - snd y)) (@eq (F * F)) /\
  (forall y z pair, Ring_act R (Ring_times R y z) pair = Ring_act R y (Ring_act R z pair)) /\
  (forall y, determinant y <> 0 -> Ring_times R y (Ring_inverse R y) = (1, 0)) /\
  Ring_times R T T = _minus (Ring_times R (c / d, 0) T) (constant F (beta / d), 0).
Theorem T18_ring : ring_of_pairs (fun F q => q).
Proof.
  intros F beta c d Hd R T determinant. split; [|split; [|split]].
  - exact (Pairs.generated_ring c (beta * d)).
  - exact (Pairs.act_times c (beta * d)).
  - intros y Hy. unfold R. rewrite Pairs.times_spec. now apply Pairs.inverse_spec.
  - unfold R. rewrite !Pairs.times_spec, Pairs.minus_spec. now apply Pairs.turn_square.
Qed.

(** It is a field where the polynomial z^2 + c z + beta d has no root. *)
Theorem T18_ring_field : forall (F : field) (beta c d : F),
  (forall z, z * z + c * z + beta * d <> 0) ->
  let R := {| ring_c := c; ring_omega := beta * d |} in
  forall y, y <> (0, 0) -> Ring_times R y (Ring_inverse R y) = (1, 0).
Proof.
  intros F beta c d Hroot R y Hy. unfold R. rewrite Pairs.times_spec. apply Pairs.inverse_spec.
  now apply Pairs.rootless.
Qed.

(** What the code carries is R_i = 1 / (1 + E_i), E_{i+1} = T + R_i E_i, for E_i = q A_i + B_i T: the
    terms of the pivots are not negative, and so no divisor vanishes. *)
Definition pair_pivots (after : forall F : field, F * F -> F * F -> F * F) :=
  forall (F : ordered) (beta c d : F) n i,
  nonnegative beta -> nonnegative c -> positive d -> S i < n ->
  let times := Ring_times {| ring_c := c; ring_omega := beta * d |} in
  let p := c / d in let q := beta / d in let T := (p, - (1 / d)) in
  let R i := (fst (pair_carries beta c d n) i, snd (pair_carries beta c d n) i) in
  let E i := let '(A, B) := pair_excess p q i in (q * A + p * B, - (B / d)) in
  (let '(A, B) := pair_excess p q i in
    nonnegative A /\ positive B /\ positive (norm p q A B)) /\
  times (R i) (_plus (1, 0) (E i)) = (1, 0) /\ E O = T /\ E (S i) = after F T (times (R i) (E i)).
Theorem T18_pivots : pair_pivots (@_plus).
Proof. intros F beta c d n i Hb Hc Hd Hi. now apply PairPath.generated_pivots. Qed.

(** The sweeps over pairs solve M k = g, M with d L^2, for every n and all weights of the cone. *)
Definition second_order_sweeps (periodic : bool) (L : matrix) :=
  forall (F : ordered) (alpha beta c d : F) g n,
  positive alpha -> nonnegative beta -> nonnegative c -> positive d -> 0 < n ->
  let k := solve_second_order g alpha (curvature_factors beta c d n periodic) n in
  mean k n = mean g n / alpha /\ forall i, i < n -> second_order (L F) alpha beta c d k n i = g i.
Theorem T18_sweeps_path : second_order_sweeps false (@path_laplacian).
Proof. intros F alpha beta c d g n Ha Hb Hc Hd Hn. now apply PairPath.second_order_path. Qed.
Theorem T18_sweeps_cycle : second_order_sweeps true (@cycle_laplacian).
Proof. intros F alpha beta c d g n Ha Hb Hc Hd Hn. now apply PairCycle.second_order_cycle. Qed.
(** The flux that the code starts the sweeps with is what flows over the seam: of levels x, and of
    moments d L x. *)
Theorem T18_sweeps_cycle_flux : forall (F : ordered) (beta c d : F) r n,
  nonnegative beta -> nonnegative c -> positive d -> 0 < n -> sum r n = 0 ->
  let factors := curvature_factors beta c d n true in
  let x := solve_curvature r factors n in let m i := d * cycle_laplacian x n i in
  (x (n - 1)%nat - x O, m (n - 1)%nat - m O) = seam_flux r factors n.
Proof.
  intros F beta c d r n Hb Hc Hd Hn Hr. cbn zeta. rewrite (surjective_pairing (seam_flux _ _ _)).
  destruct (PairCycle.cycle_pairs beta c d Hb Hc Hd n Hn r Hr) as (_ & _ & H1 & H2). f_equal; assumption.
Qed.

(** What the path's gradient commutes with is the reversal, as without a curvature term; the cycle's
    commutes with rotations, too. (That the mean is kept stands with the sweeps.) *)
Definition second_order_commutes (periodic : bool)
  (relabelled : forall F : field, (nat -> F) -> nat -> nat -> F) :=
  forall (F : ordered) (alpha beta c d : F) g n i,
  positive alpha -> nonnegative beta -> nonnegative c -> positive d -> i < n ->
  let solve g := solve_second_order g alpha (curvature_factors beta c d n periodic) n in
  solve (relabelled F g n) i = relabelled F (solve g) n i.
Theorem T18_symmetry : second_order_commutes false (@reversed).
Proof. intros F alpha beta c d g n i Ha Hb Hc Hd Hi. now apply PairSymmetry.path_reverses. Qed.
Theorem T18_symmetry_cycle : second_order_commutes true (@reversed) /\
  second_order_commutes true (fun F x n i => x (next n i)).
Proof.
  split; intros F alpha beta c d g n i Ha Hb Hc Hd Hi;
    [now apply PairSymmetry.cycle_reverses | now apply PairSymmetry.cycle_rotates].
Qed.

(** * Exchangeable channels: T14 *)

Definition commutant (group : (nat -> nat) -> nat -> Prop) := forall (F : field) (A : nat -> nat -> F) n,
  number n <> 0 :> F ->
  (forall p, group p n -> forall i j, i < n -> j < n -> A (p i) (p j) = A i j) <->
  exists a b, forall i j, i < n -> j < n -> A i j = a * (1 / number n) + b * (delta i j - 1 / number n).
Theorem T14_commutant : commutant permutation.
Proof. exact @Exchangeable.commutant. Qed.

Definition price (weight : forall F : field, F -> F -> F) := forall (F : field) (s nu : F) kappa n,
  number n <> 0 :> F ->
  sum (fun m => mode_risk (kappa m) s nu) n - number n * mode_risk (mean kappa n) s nu
  = weight F s nu * sum (fun m => (kappa m - mean kappa n) * (kappa m - mean kappa n)) n.
Theorem T14_price : price (fun F s nu => s + nu).
Proof. exact @Exchangeable.price. Qed.

(** * Blocks of rows, on different ranks: T11, on path and cycle *)

(** A block's rows of the whole system are its own path's, with what flows in at its ends: from the
    block before, and to the one after it. The cycle's seam is one more interface. *)
Definition restriction (periodic : bool) (L : matrix) (fall : forall F : field, F -> F -> F) :=
  forall (F : field) (beta c : F) x sizes count b i,
  (forall b, 0 < sizes b) -> b < count -> i < sizes b ->
  let flux b := if followed periodic count b
    then c * fall F (x (offset sizes (S b) - 1)%nat) (x (offset sizes (next count b))) else 0 in
  operator (L F) beta c x (offset sizes count) (offset sizes b + i)
  = operator path_laplacian beta c (fun i => x (offset sizes b + i)%nat) (sizes b) i
    - delta i O * flux (prev count b) + delta i (sizes b - 1) * flux b.
Theorem T11_restriction : restriction false (@path_laplacian) (fun F before after => before - after).
Proof. intros F. exact (Flux.restriction false). Qed.
Theorem T11_restriction_cycle :
  restriction true (@cycle_laplacian) (fun F before after => before - after).
Proof. intros F. exact (Flux.restriction true). Qed.

(** The code's rows solve a block's problem; its ends are told by its level, its fluxes and two dot
    products of its fluctuation f with the response. *)
Definition ends (moment : forall F : field, F -> F -> F) := forall (F : ordered) (beta c : F) m,
  nonnegative beta -> positive c -> 0 < m -> forall f o level from_left from_right,
  sum f m = 0 -> beta * number m * level = number m * o + from_left + from_right ->
  let x := finish_block f (level, from_left, from_right) (alone beta c m) m in
  let u := response beta c m in
  let kappa := - u (m - 1)%nat in let rho := u O - u (m - 1)%nat in
  let tau := 1 + beta * number m * u (m - 1)%nat in
  let t := sum (fun i => u i * f i) m in let t' := sum (fun i => reversed u m i * f i) m in
  sum x m = number m * level /\
  (forall i, i < m -> operator path_laplacian beta c x m i
    = f i + o + delta i O * from_left + delta i (m - 1) * from_right) /\
  x O = tau * level + number m * kappa * o + moment F t t' + rho * from_left /\
  x (m - 1)%nat = tau * level + number m * kappa * o + moment F t' t + rho * from_right.
Theorem T11_ends : ends (fun F own other => own).
Proof. exact @Flux.block_ends. Qed.
(** Resistances are not negative, transmissions are positive. *)
Theorem T11_ends_signs : forall (F : ordered) (beta c : F) m, nonnegative beta -> positive c -> 0 < m ->
  let u := response beta c m in
  nonnegative (u O - u (m - 1)%nat) /\ positive (1 + beta * number m * u (m - 1)%nat).
Proof. intros. split; [now apply Flux.resistance | now apply Flux.transmission]. Qed.

(** Any number of blocks: every balance, every interface, and the mean constraint. *)
Definition small_system (periodic : bool) (sum_of : forall F : field, F -> F -> F) :=
  forall (F : ordered) q J n tau C (beta w : F) count,
  (forall b, positive (n b)) -> (forall b, positive (tau b)) -> (forall b, positive (C b)) ->
  nonnegative beta -> positive w -> 0 < count -> sum q count = 0 ->
  let '(level, flux) := (if periodic then solve_cycle else solve_path) q J n tau C beta w count in
  (forall b, b < count -> beta * n b * level b = q b + flux (prev count b) - flux b) /\
  (forall b, b < count -> flux b = if followed periodic count b
    then C b * sum_of F (tau b * level b - tau (next count b) * level (next count b)) (J b) else 0) /\
  sum (fun b => n b * level b) count = 0.
Theorem T11_path : small_system false (fun F fall jump => fall + jump).
Proof. intros F q J n tau C beta w count H1 H2 H3 H4 H5 H6. now apply Blocks.solve_path_ordered. Qed.
(** The path's over any field in which no divisor vanishes: the pivots, and the last row's. *)
Theorem T11_path_any_field : forall (F : field) q J n tau C (beta w : F) count,
  let E := block_excess beta n tau C in
  (forall b, n b <> 0) -> (forall b, S b < count -> C b * tau b + E b <> 0) -> beta + w <> 0 ->
  (forall h, h (count - 1)%nat = 1 ->
    (forall b, S b < count -> h b = C b / (C b * tau b + E b) * tau (S b) * h (S b)) ->
    E (count - 1)%nat + w * sum (fun b => n b * h b) count <> 0) ->
  0 < count -> sum q count = 0 ->
  let '(level, flux) := solve_path q J n tau C beta w count in
  (forall b, b < count -> beta * n b * level b = q b + flux (prev count b) - flux b) /\
  (forall b, b < count -> flux b = if followed false count b
    then C b * (tau b * level b - tau (next count b) * level (next count b) + J b) else 0) /\
  sum (fun b => n b * level b) count = 0.
Proof.
  intros F q J n tau C beta w count E Hn Hd Hw Hlast Hcount Hq.
  apply Blocks.solve_path_solves; auto using Blocks.own_quotient.
Qed.
Theorem T11_seam : small_system true (fun F fall jump => fall + jump).
Proof. intros F q J n tau C beta w count H1 H2 H3 H4 H5 H6. now apply Blocks.solve_cycle_ordered. Qed.
(** The seam's divisor is at least 1: what a unit flux over the seam makes the ends fall apart by is
    the energy that it costs. *)
Definition seam_energy (gain : forall F : field, F -> F) := forall (F : ordered) n tau C (beta w : F) count,
  (forall b, positive (n b)) -> (forall b, positive (tau b)) -> (forall b, positive (C b)) ->
  nonnegative beta -> positive w -> 0 < count ->
  let '(level, flux) :=
    solve_path (fun b => delta b O - delta b (count - 1)) (fun _ => 0) n tau C beta w count in
  let fall := tau O * level O - tau (count - 1)%nat * level (count - 1)%nat in
  nonnegative fall /\
  fall = gain F (sum (fun b => beta * n b * tau b * (level b * level b)) count
    + sum (fun b => flux b * flux b / C b) count).
Theorem T11_seam_energy : seam_energy (fun F energy => energy).
Proof.
  intros F n tau C beta w count H1 H2 H3 H4 H5 H6.
  assert (H := Blocks.seam_energy n tau C beta w count H1 H2 H3 H4 H5 H6 (Blocks.dipole count)
    (fun _ => 0) (fun _ => eq_refl) (fun _ => eq_refl)).
  change (fun b => delta b O - delta b (count - 1)) with (Blocks.dipole (F := F) count).
  destruct (solve_path _ _ _ _ _ _ _ _) as [level flux]. destruct H as (_ & E & Hfall). now split.
Qed.

(** Sharded equals global, for every n, every split, empty blocks too, and every member without a
    curvature: k, put together from the blocks' results, solves M k = g. *)
Definition all_gradients (periodic : bool) (L : (nat -> nat) -> matrix) :=
  forall (F : ordered) (alpha beta c : F) sizes count g k,
  positive alpha -> nonnegative beta -> nonnegative c -> positive (beta + c) ->
  (forall b i, b < count -> i < sizes b ->
    k (offset sizes b + i)%nat = sharded periodic alpha beta c sizes count g b i) ->
  let n := offset sizes count in forall i, i < n -> gram (L sizes F) alpha beta c k n i = g i.
Theorem T11_all_gradients : all_gradients false (fun _ => @path_laplacian).
Proof. intros F. exact (Whole.sharded_whole false). Qed.
Theorem T11_all_gradients_cycle : all_gradients true (fun _ => @cycle_laplacian).
Proof. intros F. exact (Whole.sharded_whole true). Qed.
