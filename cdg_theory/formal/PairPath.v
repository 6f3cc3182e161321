(** T18.pivots and T18.sweeps-path: with a curvature term the sweeps over pairs solve M k = g on the
    path, for every n; no divisor vanishes. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Loops Path Metric Pairs PairLoops.
Require Import Field.
Local Open Scope field_scope.

Section Levels.
Context {F : field}.
Add Field field_of_F : (laws F).

Lemma last_pair (X : nat -> F * F) n : (forall i, S i < n -> X i = nothing) -> total X n = nothing ->
  forall i, i < n -> X i = nothing.
Proof.
  intros Hrows Hsum i Hi. unfold total, nothing in Hsum. injection Hsum as H1 H2.
  rewrite (surjective_pairing (X i)). unfold nothing. f_equal.
  - apply (last_row (fun i => fst (X i)) n); auto. intros j Hj. now rewrite Hrows.
  - apply (last_row (fun i => snd (X i)) n); auto. intros j Hj. now rewrite Hrows.
Qed.

(** What solves (L + T) X = (0, r): the moments are d L x, and the levels x solve the equation. *)
Lemma moments (c beta d : F) laplacian (X : nat -> F * F) r n : d <> 0 ->
  (forall i, i < n -> row c (beta * d) laplacian (turn c d) X n i = (r i, 0)) ->
  forall i, i < n -> fst (X i) = d * laplacian (fun i => snd (X i)) n i.
Proof.
  intros Hd Hrows i Hi. assert (E := f_equal snd (Hrows i Hi)).
  unfold row, bending, plus, times, turn in E. cbn [fst snd] in E.
  set (x := fun i => snd (X i)) in *. apply sub_zero.
  transitivity (- d * (laplacian x n i + ((c / d + c * - (1 / d)) * snd (X i) + - (1 / d) * fst (X i))));
    [field; auto | rewrite E; ring].
Qed.
Lemma levels_solve laplacian (beta c d : F) (X : nat -> F * F) r n : is_laplacian laplacian -> d <> 0 ->
  (forall i, i < n -> row c (beta * d) laplacian (turn c d) X n i = (r i, 0)) ->
  let x i := snd (X i) in
  forall i, i < n -> operator laplacian beta c x n i + d * laplacian (laplacian x n) n i = r i.
Proof.
  intros HL Hd Hrows x i Hi. assert (Hlevel := moments c beta d laplacian X r n Hd Hrows). fold x in Hlevel.
  assert (E := f_equal fst (Hrows i Hi)).
  unfold row, bending, plus, times, turn in E. cbn [fst snd] in E.
  rewrite <- E, (laplacian_local _ HL (fun j => fst (X j)) (fun j => d * laplacian x n j + 0 * 0))
    by (auto; intros; rewrite Hlevel by auto; ring).
  rewrite (laplacian_linear _ HL d 0 (laplacian x n) (fun _ => 0)), (Hlevel i) by auto.
  unfold operator, x. field. auto.
Qed.

(** From the solution of mean zero to the whole. *)
Lemma second_order_of_fluctuation laplacian (alpha beta c d : F) (g : nat -> F) f n :
  is_laplacian laplacian -> number n <> 0 :> F -> alpha <> 0 ->
  (forall r, sum r n = 0 -> let x := solve_curvature r f n in sum x n = 0 /\
    forall i, i < n -> operator laplacian beta c x n i + d * laplacian (laplacian x n) n i = r i) ->
  let k := solve_second_order g alpha f n in
  mean k n = mean g n / alpha /\ forall i, i < n -> second_order laplacian alpha beta c d k n i = g i.
Proof.
  intros HL Hn Ha Hf. cbn zeta. destruct (split_mean_spec g n Hn) as [Hmean [Hr Hsum]].
  assert (Hk : forall i, solve_second_order g alpha f n i
    = mean g n / alpha + solve_curvature (snd (split_mean g n)) f n i).
  { intros i. unfold solve_second_order. rewrite <- Hmean. destruct (split_mean g n). cbn [fst snd]. ring. }
  set (x := solve_curvature (snd (split_mean g n)) f n) in *. destruct (Hf _ Hsum) as [Hx Hrows].
  fold x in Hx, Hrows. split.
  - rewrite (mean_ext _ _ n (fun i _ => Hk i)). now apply mean_shift.
  - intros i Hi. unfold second_order.
    rewrite (gram_ext laplacian HL _ _ _ _ _ n i (fun j _ => Hk j) Hi), gram_split by auto.
    rewrite (laplacian_local _ HL _ (laplacian x n)); [| |exact Hi].
    + transitivity (alpha * (mean g n / alpha)
        + (operator laplacian beta c x n i + d * laplacian (laplacian x n) n i)); [ring|].
      rewrite Hrows, Hr by auto. field. exact Ha.
    + intros j Hj. rewrite (laplacian_local _ HL _ _ n j (fun j _ => Hk j) Hj). apply (laplacian_shift _ HL).
Qed.
End Levels.

Section Path.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).
Variables beta c d : F.
Hypothesis Hb : nonnegative beta.
Hypothesis Hc : nonnegative c.
Hypothesis Hd : positive d.
Local Notation p := (c / d).
Local Notation q := (beta / d).
Local Notation T := (turn c d).
Local Notation times := (times c (beta * d)).
Local Notation row := (row c (beta * d)).
Local Notation factors n := (path_pair_factors beta c d n).
Add Ring ring_of_elements : (elements_ring c (beta * d)).

(** The pivots: E_i = q A_i + B_i T; A and N - 1 are not negative, B is positive. *)
Definition pivot_excess (i : nat) : F * F :=
  let '(A, B) := pair_excess p q i in (q * A + p * B, - (B / d)).
Lemma norm_positive A B : nonnegative A -> positive B ->
  positive (norm p q A B) /\ nonnegative (q * A * A + p * A * B + B * B).
Proof.
  intros HA HB. assert (HB' := nonnegative_positive _ HB).
  assert (Hp := nonnegative_div _ _ Hc Hd). assert (Hq := nonnegative_div _ _ Hb Hd).
  assert (HW : nonnegative (q * A * A + p * A * B + B * B))
    by (repeat apply nonnegative_add; repeat apply nonnegative_mul; auto).
  split; auto. unfold norm. repeat apply positive_add_nonnegative; auto using positive_one;
    repeat apply nonnegative_add; repeat apply nonnegative_mul; auto.
Qed.
Lemma excess_signs i : nonnegative (fst (pair_excess p q i)) /\ positive (snd (pair_excess p q i)).
Proof.
  induction i as [|i IH]; cbn [pair_excess]; [split; [now left | apply positive_one]|].
  destruct (pair_excess p q i) as [A B]. cbn [fst snd] in *. destruct IH as [HA HB].
  destruct (norm_positive A B HA HB) as [HN HW]. split.
  - apply nonnegative_div; auto. now apply nonnegative_add.
  - apply positive_add_nonnegative; [apply positive_one|]. apply nonnegative_div; auto. now right.
Qed.
Theorem pivots i : times (pair_carry_at beta c d i) (plus unit (pivot_excess i)) = unit /\
  pivot_excess O = T /\
  pivot_excess (S i) = plus T (times (pair_carry_at beta c d i) (pivot_excess i)).
Proof.
  assert (Hd0 := positive_nonzero d Hd). unfold pair_carry_at, pivot_excess. cbn [pair_excess].
  destruct (excess_signs i) as [HA HB]. destruct (pair_excess p q i) as [A B]. cbn [fst snd] in *.
  destruct (norm_positive A B HA HB) as [HN _]. apply positive_nonzero in HN. unfold norm in *.
  set (N := 1 + (q * A + q * A) + p * B + q * (q * A * A + p * A * B + B * B)) in *.
  assert (HNdef : N = 1 + (q * A + q * A) + p * B + q * (q * A * A + p * A * B + B * B)) by reflexivity.
  clearbody N. repeat split.
  - unfold Pairs.times, plus, unit. cbn [fst snd]. f_equal.
    + transitivity ((1 + (q * A + q * A) + p * B + q * (q * A * A + p * A * B + B * B)) / N);
        [field; auto | rewrite <- HNdef; field; auto].
    + field. auto.
  - unfold turn. f_equal; field; auto.
  - unfold Pairs.times, plus, turn. cbn [fst snd]. f_equal.
    + transitivity ((q * A + q * (q * A * A + p * A * B + B * B)) / N + p * B / N + p);
        [field; auto|].
      transitivity (p + ((1 + q * A) * (q * A + p * B) + q * B * B) / N); [field; auto | field; auto].
    + transitivity (- (1 / d) - B / d / N); [field; auto | field; auto].
Qed.

(** T18.pivots, of the generated functions. *)
Theorem generated_pivots n i : S i < n ->
  let product := Ring_times {| ring_c := c; ring_omega := beta * d |} in
  let R i := (fst (pair_carries beta c d n) i, snd (pair_carries beta c d n) i) in
  (let '(A, B) := pair_excess p q i in
    nonnegative A /\ positive B /\ positive (norm p q A B)) /\
  product (R i) (_plus (1, 0) (pivot_excess i)) = (1, 0) /\ pivot_excess O = (p, - (1 / d)) /\
  pivot_excess (S i) = _plus (p, - (1 / d)) (product (R i) (pivot_excess i)).
Proof.
  intros Hi product R. assert (HR := pair_carries_spec beta c d n (positive_nonzero d Hd) i Hi).
  change (element (pair_carries beta c d n) i) with (R i) in HR.
  unfold product. rewrite !times_spec, !plus_spec, HR. split; [|apply pivots].
  destruct (excess_signs i) as [HA HB]. destruct (pair_excess p q i) as [A B]. cbn [fst snd] in *.
  repeat split; auto. now apply norm_positive.
Qed.

(** The path with any loads: what they lack is missing in the last row. *)
Theorem path_pairs loads n : 0 < n -> let load := paired loads in
  let X := paired (curvature_solve_path loads (factors n) n) in
  total X n = nothing /\ (forall i, S i < n -> row path_laplacian T X n i = load i) /\
  forall i, S i = n -> row path_laplacian T X n i = minus (load i) (total load n).
Proof.
  intros Hn. cbn zeta.
  destruct (path_pair_factors_spec beta c d (positive_nonzero d Hd) n Hn)
    as (Hring & _ & HR & H & V & Hlast & HH & HV & Hclosure).
  destruct (solve_path_pairs c (beta * d) loads (factors n) n Hring Hn) as (U & Z & HU0 & HU & HZ0 & HZ & HX).
  set (R := pair_carry_at beta c d) in *. set (load := paired loads) in *.
  assert (Hpivot : forall i, S i < n -> times (R i) (plus unit (pivot_excess i)) = unit)
    by (intros; apply pivots).
  assert (HE : forall i, S (S i) < n -> pivot_excess (S i) = plus T (times (R i) (pivot_excess i)))
    by (intros; apply pivots).
  assert (HE0 : pivot_excess O = T) by apply (pivots O).
  (* The sum of H can be divided by. *)
  assert (Hdet : determinant c (beta * d) (total H n) <> 0).
  { apply determinant_nonzero. intros v Hv. set (X := fun i => times (H i) v).
    assert (Hsum : total X n = nothing) by (unfold X; now rewrite total_scaled).
    assert (Hrows : forall i, i < n -> row path_laplacian T X n i = nothing).
    { apply last_pair; [|apply row_total; auto using path_is_laplacian].
      apply (eliminated c (beta * d) T pivot_excess R (fun _ => nothing) (fun _ => nothing) H
        (fun _ => nothing) n) with (w := v); auto; try (intros; ring).
      intros i Hi. unfold X. ring. }
    assert (HX0 := without_load beta c d Hb Hc Hd path_laplacian path_differences path_by_parts
      path_symmetric path_squares X n Hsum Hrows (n - 1)%nat ltac:(lia)).
    unfold X in HX0. rewrite Hlast in HX0. rewrite <- HX0. ring. }
  assert (Hinv : times V (total H n) = unit).
  { rewrite (Ring_theory.Rmul_comm (elements_ring c (beta * d))), HV. now apply inverse_spec. }
  destruct (closed_solves c (beta * d) T V pivot_excess R U Z H load n HE0 HE Hpivot HU0) as (Hs & Hr & Hl); auto.
  { intros i Hi. rewrite HU, HR by auto. reflexivity. }
  { intros i Hi. rewrite HZ, HR by auto. reflexivity. }
  set (Y := closed c (beta * d) V Z H n) in *.
  assert (HXY : forall i, paired (curvature_solve_path loads (factors n) n) i = Y i).
  { intros i. rewrite HX, Hclosure. reflexivity. }
  split; [|split].
  - rewrite <- Hs. apply total_ext. auto.
  - intros i Hi. rewrite <- Hr by auto. apply row_ext; auto using path_is_laplacian. lia.
  - intros i Hi. rewrite <- Hl by auto. apply row_ext; auto using path_is_laplacian. lia.
Qed.

Theorem path_fluctuation_pairs (r : nat -> F) n : 0 < n -> sum r n = 0 ->
  let x := solve_curvature r (path_pair_factors beta c d n) n in sum x n = 0 /\
  forall i, i < n -> operator path_laplacian beta c x n i
    + d * path_laplacian (path_laplacian x n) n i = r i.
Proof.
  intros Hn Hr. cbn zeta.
  destruct (path_pair_factors_spec beta c d (positive_nonzero d Hd) n Hn) as (_ & Hseam & _).
  unfold solve_curvature. cbn zeta beta iota. rewrite Hseam.
  match goal with |- context [curvature_solve_path ?l _ _] => set (loads := l) end.
  destruct (path_pairs loads n Hn) as (Hsum & Hrows & Hlast). cbn zeta in *.
  set (X := paired (curvature_solve_path loads (factors n) n)) in *.
  assert (Hload : forall i, paired loads i = (r i, 0))
    by (intros; unfold loads, paired; cbn [fst snd]; f_equal; ring).
  assert (Hbalance : total (paired loads) n = nothing).
  { rewrite (total_ext _ (fun i => (r i, 0))) by auto. unfold total, nothing. cbn [fst snd].
    f_equal; [exact Hr | now apply sum_zero]. }
  change (fst (curvature_solve_path loads (factors n) n)) with (fun i => snd (X i)).
  split; [exact (f_equal snd Hsum)|].
  apply levels_solve; auto using path_is_laplacian, positive_nonzero. intros i Hi.
  destruct (Nat.eq_dec (S i) n) as [E|E].
  - rewrite Hlast, Hbalance, Hload by auto. unfold minus, nothing. cbn [fst snd]. f_equal; ring.
  - rewrite Hrows, Hload by lia. reflexivity.
Qed.

(** T18.sweeps-path *)
Theorem second_order_path (alpha : F) g n : positive alpha -> 0 < n ->
  let k := solve_second_order g alpha (curvature_factors beta c d n false) n in
  mean k n = mean g n / alpha /\
  forall i, i < n -> second_order path_laplacian alpha beta c d k n i = g i.
Proof.
  intros Ha Hn. apply second_order_of_fluctuation;
    auto using path_is_laplacian, positive_nonzero, number_nonzero.
  intros r Hr. now apply path_fluctuation_pairs.
Qed.
End Path.
