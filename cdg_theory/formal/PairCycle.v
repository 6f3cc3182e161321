(** T18.sweeps-cycle: the path, and the seam from its last row to its first. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Path Metric Symmetry Pairs PairLoops
  PairPath.
Require Import Field.
Local Open Scope field_scope.

Section Seam.
Context {F : field}.
Add Field field_of_F : (laws F).
Variables c omega : F.
Local Notation K := (F * F)%type.
Local Notation times := (times c omega).
Add Ring ring_of_elements : (elements_ring c omega).

(** A unit that flows in at the first row and out at the last. *)
Definition dipole n i : K := (delta i O - delta i (n - 1), 0).
Lemma dipole_total n : 0 < n -> total (dipole n) n = nothing.
Proof.
  intros Hn. unfold total, dipole, nothing. cbn [fst snd]. f_equal; [|now apply sum_zero].
  rewrite (sum_sub (fun i => delta i O)), !sum_delta_one by lia. ring.
Qed.
Lemma around_path (x : nat -> F) n i : i < n ->
  cycle_laplacian x n i = path_laplacian x n i + (delta i O - delta i (n - 1)) * (x O - x (n - 1)%nat).
Proof.
  intros Hi. unfold cycle_laplacian, path_laplacian, delta. destruct (Nat.eq_dec (S i) n) as [E|E].
  - rewrite next_last by auto. assert (n - 1 = i)%nat as -> by lia. subst n.
    rewrite Nat.ltb_irrefl, Nat.eqb_refl. destruct i as [|i]; cbn [prev Nat.eqb];
      [replace (1 - 1)%nat with O by lia|]; ring.
  - rewrite next_inner by lia. assert (Hlt : S i < n) by lia. apply Nat.ltb_lt in Hlt as ->.
    assert (Nat.eqb i (n - 1) = false) as -> by (apply Nat.eqb_neq; lia).
    destruct i as [|i]; cbn [prev Nat.eqb]; ring.
Qed.
Lemma row_around T X n i : i < n -> row c omega cycle_laplacian T X n i
  = plus (row c omega path_laplacian T X n i) (times (dipole n i) (minus (X O) (X (n - 1)%nat))).
Proof.
  intros Hi. unfold row, bending. rewrite !around_path by auto.
  unfold plus, minus, Pairs.times, dipole. cbn [fst snd]. f_equal; ring.
Qed.
Lemma row_back T X n i : i < n -> row c omega path_laplacian T (fun i => X (n - 1 - i)%nat) n i
  = row c omega path_laplacian T X n (n - 1 - i).
Proof.
  intros Hi. unfold row, bending. f_equal.
  f_equal; [exact (path_reversed (fun i => fst (X i)) n i Hi) | exact (path_reversed (fun i => snd (X i)) n i Hi)].
Qed.

(** L is symmetric, and so is L + T. *)
Definition product (X Y : nat -> K) n : K := total (fun i => times (X i) (Y i)) n.
Lemma product_symmetric T X Y n :
  product (fun i => X i) (row c omega path_laplacian T Y n) n = product (row c omega path_laplacian T X n) Y n.
Proof.
  assert (H : forall x y : nat -> F, sum (fun i => x i * path_laplacian y n i) n
    = sum (fun i => path_laplacian x n i * y i) n).
  { intros x y. rewrite (path_by_parts x y n), path_symmetric, <- (path_by_parts y x n).
    apply sum_ext. intros. ring. }
  set (bend := bending (F := F) path_laplacian).
  assert (Hbend : product X (bend Y n) n = product (bend X n) Y n).
  { unfold product, total, Pairs.times, bend, bending. cbn [fst snd].
    set (x := fun i => fst (X i)). set (x' := fun i => snd (X i)).
    set (y := fun i => fst (Y i)). set (y' := fun i => snd (Y i)). f_equal.
    - transitivity (sum (fun i => x i * path_laplacian y n i) n
        - omega * sum (fun i => x' i * path_laplacian y' n i) n).
      + rewrite <- (sum_scale (fun i => x' i * path_laplacian y' n i)), <- sum_sub.
        apply sum_ext. intros. unfold x, x'. ring.
      + rewrite !H, <- (sum_scale (fun i => path_laplacian x' n i * y' i)), <- sum_sub.
        apply sum_ext. intros. unfold y, y'. ring.
    - transitivity (sum (fun i => x i * path_laplacian y' n i) n
        + c * sum (fun i => x' i * path_laplacian y' n i) n + sum (fun i => x' i * path_laplacian y n i) n).
      + rewrite <- (sum_scale (fun i => x' i * path_laplacian y' n i)), <- !sum_add.
        apply sum_ext. intros. unfold x, x'. ring.
      + rewrite !H, <- (sum_scale (fun i => path_laplacian x' n i * y' i)), <- !sum_add.
        apply sum_ext. intros. unfold y, y'. ring. }
  unfold product, row. fold bend.
  rewrite (total_ext _ (fun i => plus (times (X i) (bend Y n i)) (times (times (X i) (Y i)) T)))
    by (intros; ring).
  rewrite (total_plus c omega (fun i => times (X i) (bend Y n i))).
  fold (product X (bend Y n) n). rewrite Hbend. unfold product.
  rewrite <- (total_plus c omega (fun i => times (bend X n i) (Y i))).
  apply total_ext. intros. ring.
Qed.
Lemma product_dipole X n : 0 < n -> product (dipole n) X n = minus (X O) (X (n - 1)%nat).
Proof.
  intros Hn. unfold product, total, dipole, Pairs.times, minus. cbn [fst snd].
  rewrite <- (sum_delta (fun i => fst (X i)) O n), <- (sum_delta (fun i => fst (X i)) (n - 1) n),
    <- (sum_delta (fun i => snd (X i)) O n), <- (sum_delta (fun i => snd (X i)) (n - 1) n), <- !sum_sub by lia.
  f_equal; apply sum_ext; intros; ring.
Qed.
End Seam.

Section Cycle.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).
Variables beta c d : F.
Hypothesis Hb : nonnegative beta.
Hypothesis Hc : nonnegative c.
Hypothesis Hd : positive d.
Local Notation K := (F * F)%type.
Local Notation T := (turn c d).
Local Notation times := (times c (beta * d)).
Local Notation row := (row c (beta * d)).
Local Notation dipole := (@dipole F).
Local Notation factors n := (cycle_pair_factors beta c d n).
Add Ring ring_of_pairs : (elements_ring c (beta * d)).
Variable n : nat.
Hypothesis Hn : 0 < n.

Lemma path_unique X : total X n = nothing -> (forall i, i < n -> row path_laplacian T X n i = nothing) ->
  forall i, i < n -> X i = nothing.
Proof.
  apply (without_load beta c d Hb Hc Hd path_laplacian path_differences);
    auto using path_by_parts, path_symmetric, path_squares.
Qed.
Lemma cycle_unique X : total X n = nothing -> (forall i, i < n -> row cycle_laplacian T X n i = nothing) ->
  forall i, i < n -> X i = nothing.
Proof.
  apply (without_load beta c d Hb Hc Hd cycle_laplacian cycle_differences);
    auto using cycle_by_parts, cycle_symmetric, cycle_squares.
Qed.

(** A response h to the dipole: it is odd, and 1 + 2 h_0 can be divided by. *)
Section Response.
Variable h : nat -> K.
Hypothesis h_total : total h n = nothing.
Hypothesis h_rows : forall i, i < n -> row path_laplacian T h n i = dipole n i.
Lemma odd : h (n - 1)%nat = negative (h O).
Proof.
  set (Y := fun i => plus (h i) (times (h (n - 1 - i)%nat) unit)).
  assert (HY : Y (n - 1)%nat = nothing).
  { apply path_unique; [| |lia].
    - unfold Y. rewrite (total_plus c (beta * d) h (fun i => h (n - 1 - i)%nat)).
      assert (total (fun i => h (n - 1 - i)%nat) n = total h n) as ->.
      { unfold total. f_equal; [apply (sum_reversed (fun i => fst (h i))) | apply (sum_reversed (fun i => snd (h i)))]. }
      rewrite h_total. ring.
    - intros i Hi. unfold Y.
      rewrite (row_plus c (beta * d) path_laplacian path_is_laplacian T h (fun i => h (n - 1 - i)%nat)) by auto.
      rewrite row_back, !h_rows by lia. unfold PairCycle.dipole, plus, Pairs.times, unit, nothing, delta.
      cbn [fst snd].
      assert (Nat.eqb (n - 1 - i) 0 = Nat.eqb i (n - 1)) as ->
        by (destruct (Nat.eqb_spec i (n - 1)); [apply Nat.eqb_eq | apply Nat.eqb_neq]; lia).
      assert (Nat.eqb (n - 1 - i) (n - 1) = Nat.eqb i 0) as ->
        by (destruct (Nat.eqb_spec i 0); [apply Nat.eqb_eq | apply Nat.eqb_neq]; lia).
      f_equal; ring. }
  unfold Y in HY. replace (n - 1 - (n - 1))%nat with O in HY by lia.
  transitivity (plus (plus (h (n - 1)%nat) (times (h O) unit)) (negative (h O))); [ring | rewrite HY; ring].
Qed.
Lemma release_divides : determinant c (beta * d) (plus unit (plus (h O) (h O))) <> 0.
Proof.
  apply determinant_nonzero. intros v Hv. set (X := fun i => times (h i) v).
  assert (HX : X O = nothing).
  { apply cycle_unique; [| |exact Hn].
    - unfold X. rewrite total_scaled, h_total. ring.
    - intros i Hi. rewrite row_around by auto. unfold X at 1.
      rewrite (row_scaled c (beta * d) path_laplacian path_is_laplacian T h) by auto.
      rewrite h_rows by auto. unfold X. rewrite odd.
      transitivity (times (dipole n i) (times (plus unit (plus (h O) (h O))) v)); [ring | rewrite Hv; ring]. }
  unfold X in HX. transitivity (plus (times (plus unit (plus (h O) (h O))) v)
    (negative (plus (times (h O) v) (times (h O) v)))); [ring | rewrite Hv, HX; ring].
Qed.

(** The correction makes every flux right. *)
Variables (X load : nat -> K) (flux release : K).
Hypothesis X_total : total X n = nothing.
Hypothesis X_rows : forall i, i < n ->
  row path_laplacian T X n i = plus (load i) (times (dipole n i) flux).
Hypothesis released : times (plus unit (plus (h O) (h O))) release = unit.
Definition flow : K := minus (X (n - 1)%nat) (X O).
Definition corrected i : K := plus (X i) (times (h i) (times release (minus flow flux))).
Lemma corrected_solves : total corrected n = nothing /\
  forall i, i < n -> row cycle_laplacian T corrected n i = load i.
Proof.
  set (psi := times release (minus flow flux)) in *.
  assert (Hpsi : times (plus unit (plus (h O) (h O))) psi = minus flow flux).
  { unfold psi. transitivity (times (times (plus unit (plus (h O) (h O))) release) (minus flow flux));
      [ring | rewrite released; ring]. }
  split.
  - unfold corrected. fold psi. rewrite (total_plus c (beta * d) X h), X_total, h_total. ring.
  - intros i Hi. rewrite row_around by auto. unfold corrected at 1. fold psi.
    rewrite (row_plus c (beta * d) path_laplacian path_is_laplacian T X h) by auto.
    rewrite X_rows, h_rows by auto. unfold corrected. fold psi. rewrite odd. unfold flow in Hpsi.
    transitivity (plus (load i) (times (dipole n i)
      (minus (times (plus unit (plus (h O) (h O))) psi) (minus (minus (X (n - 1)%nat) (X O)) flux))));
      [ring | rewrite Hpsi; ring].
Qed.
(** And with the code's flux there is nothing to correct. *)
Lemma flux_flows : flux = negative (times release (product c (beta * d) h load n)) -> flow = flux.
Proof.
  intros Hflux. assert (E := product_symmetric c (beta * d) T h X n).
  unfold product in E at 2.
  rewrite (total_ext (fun i => times (row path_laplacian T h n i) (X i)) (fun i => times (dipole n i) (X i))) in E
    by (intros; now rewrite h_rows by auto).
  fold (product c (beta * d) (dipole n) X n) in E. rewrite product_dipole in E by auto.
  unfold product in E at 1.
  rewrite (total_ext _ (fun i => plus (times (h i) (load i)) (times (times (dipole n i) (h i)) flux))) in E
    by (intros; rewrite X_rows by auto; ring).
  rewrite (total_plus c (beta * d) (fun i => times (h i) (load i)) (fun i => times (dipole n i) (h i))) in E.
  fold (product c (beta * d) h load n) (product c (beta * d) (dipole n) h n) in E.
  rewrite product_dipole, odd in E by auto.
  assert (Hload : product c (beta * d) h load n = negative (times (plus unit (plus (h O) (h O))) flux)).
  { rewrite Hflux. transitivity (times (times (plus unit (plus (h O) (h O))) release) (product c (beta * d) h load n));
      [rewrite released; ring | ring]. }
  rewrite Hload in E. unfold flow.
  transitivity (negative (minus (X O) (X (n - 1)%nat))); [ring|]. rewrite <- E. ring.
Qed.
End Response.

(** The factors of the cycle. *)
Local Notation path := (path_pair_factors beta c d n).
Lemma cycle_pair_factors_spec : exists h freed,
  pair_ring (factors n) = pair_ring path /\ pair_carry (factors n) = pair_carry path /\
  pair_closure (factors n) = pair_closure path /\ seam (factors n) = Some h /\
  release (factors n) = Some freed /\ total (element h) n = nothing /\
  (forall i, i < n -> row path_laplacian T (element h) n i = dipole n i) /\
  times (plus unit (plus (element h O) (element h O))) freed = unit.
Proof.
  unfold cycle_pair_factors. cbn zeta.
  match goal with |- context [curvature_solve_path ?l _ _] => set (loads := l) end.
  destruct (path_pairs beta c d Hb Hc Hd loads n Hn) as (Hsum & Hrows & Hlast). cbn zeta in *.
  destruct (path_pair_factors_spec beta c d (positive_nonzero d Hd) n Hn) as (Hring & _).
  destruct (curvature_solve_path loads path n) as [b a].
  assert (Hd0 := positive_nonzero d Hd).
  assert (Hload : forall i, i < n -> paired loads i = dipole n i).
  { intros i Hi. unfold loads, paired, PairCycle.dipole, delta, set. cbn [fst snd].
    replace (0 * d) with (0 : F) by ring. replace (d / d) with (1 : F) by now field.
    f_equal; [|destruct (Nat.eqb _ _), (Nat.eqb _ _); ring].
    destruct (Nat.eqb_spec i (n - 1)) as [E1|E1], (Nat.eqb_spec i 0) as [E2|E2];
      try (assert (Nat.eqb (n - 1) 0 = true) as -> by (apply Nat.eqb_eq; lia));
      try (assert (Nat.eqb (n - 1) 0 = false) as -> by (apply Nat.eqb_neq; lia)); ring. }
  assert (Htotal : total (paired loads) n = nothing).
  { rewrite (total_ext _ (dipole n)) by auto. now apply dipole_total. }
  assert (Hh : forall i, paired (b, a) i = element (a, b) i) by reflexivity.
  assert (Hall : forall i, i < n -> row path_laplacian T (element (a, b)) n i = dipole n i).
  { intros i Hi. destruct (Nat.eq_dec (S i) n) as [E|E].
    - rewrite <- Hload by auto. transitivity (minus (paired loads i) (total (paired loads) n)).
      + rewrite <- Hlast by auto. reflexivity.
      + rewrite Htotal. ring.
    - rewrite <- Hload by auto. rewrite <- Hrows by lia. reflexivity. }
  exists (a, b). eexists. cbn [pair_ring pair_carry pair_closure seam release].
  do 5 (split; [reflexivity|]). split; [exact Hsum|]. split; [exact Hall|].
  rewrite Hring. assert (Hdet := release_divides (element (a, b)) Hsum Hall).
  match goal with |- times ?y (Ring_inverse _ ?z) = unit => assert (z = y) as -> end.
  - unfold plus, unit, element, number. cbn [fst snd]. f_equal; ring.
  - now apply inverse_spec.
Qed.

(** The path is solved with the code's flux, which is what flows over the seam. *)
Theorem cycle_pairs (r : nat -> F) : sum r n = 0 ->
  let x := solve_curvature r (factors n) n in
  sum x n = 0 /\ (forall i, i < n -> operator cycle_laplacian beta c x n i
    + d * cycle_laplacian (cycle_laplacian x n) n i = r i) /\
  x (n - 1)%nat - x O = fst (seam_flux r (factors n) n) /\
  d * (cycle_laplacian x n (n - 1)) - d * (cycle_laplacian x n O) = snd (seam_flux r (factors n) n).
Proof.
  intros Hr. cbn zeta. destruct cycle_pair_factors_spec
    as (h & freed & Hring & Hcarry & Hclosure & Hseam & Hrelease & Hh & Hhrows & Hfreed).
  assert (Hown := proj1 (path_pair_factors_spec beta c d (positive_nonzero d Hd) n Hn)). cbn zeta in Hown.
  unfold solve_curvature. cbn zeta beta iota. rewrite Hseam.
  set (flux := seam_flux r (factors n) n).
  match goal with |- context [curvature_solve_path ?l _ _] => set (loads := l) end.
  assert (Hsolve : curvature_solve_path loads (factors n) n = curvature_solve_path loads path n)
    by (unfold curvature_solve_path; now rewrite Hring, Hcarry, Hclosure).
  destruct (path_pairs beta c d Hb Hc Hd loads n Hn) as (Hsum & Hrows & Hlast). cbn zeta in *.
  rewrite <- Hsolve in *. set (X := paired (curvature_solve_path loads (factors n) n)) in *.
  set (load := fun i => (r i, 0) : K). set (phi := swap flux).
  assert (Hload : forall i, paired loads i = plus (load i) (times (delta i O, 0) phi)).
  { intros i. unfold loads, paired, load, phi, swap, plus, Pairs.times, delta, set. cbn [fst snd].
    destruct (Nat.eqb_spec i 0) as [->|E]; f_equal; ring. }
  assert (Hbalance : total (paired loads) n = phi).
  { rewrite (total_ext _ (fun i => plus (load i) (times (delta i O, 0) phi))) by auto.
    rewrite (total_plus c (beta * d) load (fun i => (delta i O, 0))).
    assert (total load n = nothing) as ->
      by (unfold total, load, nothing; cbn [fst snd]; f_equal; [exact Hr | now apply sum_zero]).
    assert (total (fun i => (delta i O, 0)) n = unit) as ->; [|ring].
    unfold total, unit. cbn [fst snd]. f_equal; [now apply sum_delta_one | now apply sum_zero]. }
  assert (HXrows : forall i, i < n -> row path_laplacian T X n i = plus (load i) (times (dipole n i) phi)).
  { intros i Hi. unfold PairCycle.dipole, delta. destruct (Nat.eq_dec (S i) n) as [E|E].
    - rewrite Hlast, Hbalance, Hload by auto.
      assert (Nat.eqb i (n - 1) = true) as -> by (apply Nat.eqb_eq; lia).
      unfold plus, minus, Pairs.times, delta. cbn [fst snd]. f_equal; ring.
    - rewrite Hrows, Hload by lia.
      assert (Nat.eqb i (n - 1) = false) as -> by (apply Nat.eqb_neq; lia).
      unfold plus, Pairs.times, delta. cbn [fst snd]. f_equal; ring. }
  destruct (corrected_solves (element h) Hh Hhrows X load phi freed Hsum HXrows Hfreed) as [HCsum HCrows].
  assert (Hclosed : forall i,
    paired (close_seam (curvature_solve_path loads (factors n) n) (fst flux, snd flux) (factors n) n) i
    = corrected (element h) X phi freed i).
  { intros i. unfold X, close_seam. rewrite Hseam, Hrelease, Hring, Hown. cbn zeta.
    destruct (curvature_solve_path loads (factors n) n) as [x m]. cbn beta iota.
    unfold by_row. cbn [fst snd]. unfold paired at 1. cbn [fst snd].
    rewrite plus_spec, !act_spec, !minus_spec. unfold corrected, flow, phi.
    unfold plus, minus, Pairs.times, swap, paired, element. cbn [fst snd]. f_equal; ring. }
  match goal with |- context [fst ?solved] => set (Y := solved) in * end.
  change (fst Y) with (fun i => snd (paired Y i)). split.
  { transitivity (snd (total (corrected (element h) X phi freed) n)); [|now rewrite HCsum].
    unfold total. cbn [snd]. apply sum_ext. intros i Hi. now rewrite Hclosed. }
  assert (HYrows : forall i, i < n -> row cycle_laplacian T (paired Y) n i = (r i, 0)).
  { intros i Hi. refine (eq_trans _ (HCrows i Hi)). apply row_ext; auto using cycle_is_laplacian. }
  split; [apply levels_solve; auto using cycle_is_laplacian, positive_nonzero|].
  (* Nothing is missing at the seam. *)
  assert (Hphi : phi = negative (times freed (product c (beta * d) (element h) load n))).
  { unfold phi, flux, seam_flux. rewrite Hseam, Hrelease, Hring, Hown. cbn zeta.
    destruct h as [a b]. rewrite act_spec, swap_swap.
    match goal with |- context [swap (- sum ?s _, - sum ?s' _)] =>
      assert (product c (beta * d) (element (a, b)) load n = (sum s' n, sum s n)) as -> end.
    { unfold product, total, load, Pairs.times, element. cbn [fst snd].
      f_equal; apply sum_ext; intros; ring. }
    unfold negative, Pairs.times, swap. cbn [fst snd]. f_equal; ring. }
  assert (Hflow := flux_flows (element h) Hh Hhrows X load phi freed HXrows Hfreed Hphi).
  assert (HY : minus (paired Y (n - 1)%nat) (paired Y O) = phi).
  { rewrite !Hclosed. unfold corrected. rewrite Hflow.
    transitivity (flow X); [unfold flow; ring | exact Hflow]. }
  assert (Hmoment : forall i, i < n -> fst (paired Y i) = d * cycle_laplacian (fun i => snd (paired Y i)) n i)
    by (intros; apply (moments c beta d cycle_laplacian) with (r := r); auto using positive_nonzero).
  split; [exact (f_equal snd HY)|]. rewrite <- !Hmoment by lia. exact (f_equal fst HY).
Qed.
End Cycle.

Theorem second_order_cycle {F : ordered} (beta c d alpha : F) g n :
  nonnegative beta -> nonnegative c -> positive d -> positive alpha -> 0 < n ->
  let k := solve_second_order g alpha (curvature_factors beta c d n true) n in
  mean k n = mean g n / alpha /\
  forall i, i < n -> second_order cycle_laplacian alpha beta c d k n i = g i.
Proof.
  intros Hb Hc Hd Ha Hn. apply second_order_of_fluctuation;
    auto using cycle_is_laplacian, positive_nonzero, number_nonzero.
  intros r Hr. destruct (cycle_pairs beta c d Hb Hc Hd n Hn r Hr) as (H1 & H2 & _). now split.
Qed.
