(** The claims of Statements.v with a wrong argument, by a sign, a factor or an end condition, as the
    ledger perturbs them: each is false, shown on rational numbers. *)
From Coq Require Import ZArith QArith Qcanon Qpower.
From Cdg Require Import Fields Arrays Code Definitions Sums Order Sharded RationalNumbers Statements.
Local Open Scope field_scope.

(** Two rational numbers that differ, decided by the kernel. *)
Ltac refute H := apply (f_equal this) in H; vm_compute in H; discriminate H.
Ltac nonzero := let E := fresh in intro E; refute E.
Ltac side := repeat split; first [reflexivity | nonzero | lia | exact (or_introl eq_refl)
  | exact (or_intror eq_refl)].
Local Notation i1 := (one : rationals).

(** The fluctuation divided by 2 beta. *)
Theorem T5_one_line_refuted : ~ one_line (fun F beta => beta + beta).
Proof.
  intros H. destruct (H rationals i1 i1 number 2%nat ltac:(side) ltac:(side) ltac:(side)) as [E _].
  specialize (E 1%nat). refute E.
Qed.

(** Matrices with beta + c on the whole diagonal. *)
Definition lopsided_path : matrix := fun F x n i =>
  x i - (match i with O => 0 | S j => x j end) - (if Nat.ltb (S i) n then x (S i) else 0).
Theorem T5_sweeps_path_refuted : ~ sweeps_path lopsided_path.
Proof.
  intros H. destruct (H ordered_rationals i1 i1 i1 number 3%nat ltac:(side) ltac:(side) ltac:(side)
    ltac:(side)) as [_ E]. specialize (E 1%nat ltac:(lia)). refute E.
Qed.
Definition lopsided_cycle : matrix := fun F x n i => x i - x (prev n i) - x (next n i).
Theorem T5_sweeps_cycle_refuted : ~ sweeps_cycle lopsided_cycle.
Proof.
  intros H. pose (half := i1 / (i1 + i1)).
  destruct (H ordered_rationals i1 half i1 i1 i1 number 3%nat ltac:(side) ltac:(side) ltac:(side)
    ltac:(apply Qc_is_canon; reflexivity) ltac:(side)) as [_ E].
  specialize (E 1%nat ltac:(lia)). refute E.
Qed.

(** The second sum begun one row later. *)
Theorem T5_running_sums_refuted : ~ running_sums (fun F r n i => running r n (S i)).
Proof.
  intros H. assert (E := H rationals i1 number 3%nat ltac:(side) ltac:(side) O ltac:(lia)). refute E.
Qed.

(** Even exponents. *)
Theorem T5_pivots_refuted : ~ pivots (fun i => 2 * i + 2)%Z.
Proof.
  intros H. destruct (H rationals i1 two_to 2%nat two_to_powers ltac:(side)) as [E _].
  - intros i Hi E. assert (Hp : (0 < two_to (2 * i + 1))%Qc).
    { change (0 < Qred (Qpower 2 (2 * i + 1)))%Q. rewrite Qred_correct.
      apply Qpower_0_lt. reflexivity. }
    assert (Hq := rationals_add 1%Qc _ eq_refl Hp).
    change (0 < (i1 + two_to (2 * i + 1))%F)%Qc in Hq. rewrite E in Hq. discriminate Hq.
  - specialize (E O). refute E.
Qed.

Theorem T5_inverse_h0_refuted : ~ inverse_h0 (fun F beta => beta + beta).
Proof.
  intros H. assert (E := H rationals path_laplacian i1 i1 2%nat O Sums.path_is_laplacian
    ltac:(side) ltac:(side) ltac:(side) ltac:(lia) O ltac:(lia)). refute E.
Qed.
(** min and max exchanged; a cycle of 2 n nodes. *)
Theorem T5_inverse_path_refuted : ~ inverse_path Nat.max Nat.min.
Proof.
  intros H. assert (E := H rationals ltac:(side) ltac:(side) i1 i1 2%nat O
    ltac:(side) ltac:(side) ltac:(side) ltac:(lia) O ltac:(lia)). refute E.
Qed.
Theorem T5_inverse_cycle_refuted : ~ inverse_cycle (fun n => 2 * n)%nat.
Proof.
  intros H. assert (E := H rationals i1 i1 2%nat O ltac:(side) ltac:(side)
    ltac:(side) ltac:(side) ltac:(side) ltac:(lia) O ltac:(lia)). refute E.
Qed.
(** A path that is held at its ends; a cycle of n - 1 nodes; folded half a row off. *)
Definition held_path : matrix := fun F x n i =>
  (x i - (match i with O => 0 | S j => x j end)) + (x i - (if Nat.ltb (S i) n then x (S i) else 0)).
Theorem T5_resolvent_path_refuted : ~ resolvent_path held_path.
Proof.
  intros H. assert (E := H rationals two_to i1 2%nat two_to_powers ltac:(side) ltac:(side) ltac:(side)
    ltac:(side) i1 O ltac:(side) ltac:(side) ltac:(lia) O ltac:(lia)). refute E.
Qed.
Theorem T5_resolvent_cycle_refuted : ~ resolvent_cycle (fun n => Z.of_nat n - 1)%Z.
Proof.
  intros H. assert (E := H rationals two_to i1 3%nat two_to_powers ltac:(side) ltac:(side) ltac:(side)
    i1 O ltac:(side) ltac:(side) ltac:(side) ltac:(lia) O ltac:(lia)). refute E.
Qed.
Theorem T5_images_refuted : ~ images Z.add.
Proof.
  intros H. assert (E := H rationals two_to i1 2%nat two_to_powers ltac:(side) ltac:(side) ltac:(side)
    0%Z 1%Z). refute E.
Qed.

(** Without the cycle's seam. *)
Theorem T1_discrete_squares_refuted : ~ squares (@cycle_laplacian) (@path_differences).
Proof.
  intros H. assert (E := H rationals i1 i1 i1 number number 3%nat ltac:(side)). refute E.
Qed.
(** All rows but the last. *)
Theorem T3_discrete_mean_refuted : ~ mean_kept (fun n => n - 1)%nat.
Proof.
  intros H. pose (k := number : nat -> rationals).
  pose (g := fun i => if Nat.eqb i O then gram path_laplacian i1 i1 i1 k 2 i else 0 : rationals).
  assert (E := H rationals path_laplacian i1 i1 i1 k g 2%nat Sums.path_is_laplacian
    ltac:(side) ltac:(side)).
  enough (E' : mean k 2 = mean g 2 / i1) by refute E'.
  apply E. intros i Hi. assert (i = O) as -> by (cbn in Hi; lia). reflexivity.
Qed.
(** The path's gradient commutes with a shift by one row. *)
Theorem T3_discrete_symmetry_refuted : ~ path_commutes (fun F x n i => x (next n i)).
Proof.
  intros H. assert (E := H ordered_rationals i1 i1 i1 number 3%nat ltac:(side) ltac:(side) ltac:(side)
    ltac:(side) O ltac:(lia)). refute E.
Qed.

(** The mean alone is left for lambda to 0: not for g = (0, 1), eps = 1 and lambda = b / (1 + 2 b). *)
Section Zero.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).
Lemma not_small (b : F) : positive b -> let lam := b / (1 + (b + b)) in
  positive lam /\ positive (b - lam) /\
  ~ positive (1 + (solve_gram number 1 lam None 2 O - mean number 2)).
Proof.
  intros Hb lam. assert (H1 := positive_one (F := F)). assert (Hone := F_1_neq_0 (laws F)).
  assert (Hd : positive (1 + (b + b))) by auto using positive_add.
  assert (Hl : positive lam) by now apply positive_div.
  assert (Hb0 := positive_nonzero b Hb). assert (Hd0 := positive_nonzero _ Hd).
  split; [exact Hl|]. split.
  - replace (b - lam) with (b * (b + b) / (1 + (b + b))) by (unfold lam; now field).
    apply positive_div; auto. apply positive_mul; auto. now apply positive_add.
  - destruct (T5_one_line F 1 lam number 2%nat (number_nonzero 2 ltac:(lia)) Hone (positive_nonzero _ Hl))
      as [E _]. rewrite E. intros H. apply (positive_not_zero F).
    assert (H2 : positive (b + b)) by now apply positive_add.
    replace (0 : F) with ((1 + (mean number 2 / 1 + (number O - mean number 2) / lam - mean number 2))
      + 1 / (b + b)); [now apply positive_add, positive_div|].
    assert (1 + 1 <> 0 :> F) by now apply positive_nonzero, positive_add.
    assert (Hbb := positive_nonzero _ H2).
    unfold mean, lam. cbn [sum number]. field. repeat split; known.
Qed.
End Zero.
Theorem T3_discrete_h0_refuted :
  ~ h0_limits (fun F bound lam => positive lam /\ positive (bound - lam)).
Proof.
  intros H. destruct (H ordered_rationals number 2%nat O i1 ltac:(lia) ltac:(side)) as (_ & b & Hb & E).
  destruct (not_small b Hb) as (H1 & H2 & H3). now apply H3, E.
Qed.

(** Commuting with the rotations is enough; the price is that of the noise only. *)
Theorem T14_commutant_refuted :
  ~ commutant (fun p n => exists s : nat, (s < n)%nat /\ forall i, p i = ((i + s) mod n)%nat).
Proof.
  intros H. pose (A := fun i j => number ((3 + j - i) mod 3)%nat : rationals).
  destruct (proj1 (H rationals A 3%nat ltac:(side))) as (a & b & E).
  - intros p (s & Hs & Hp) i j Hi Hj. rewrite !Hp. unfold A.
    destruct s as [|[|[|s]]], i as [|[|[|i]]], j as [|[|[|j]]]; try lia; reflexivity.
  - assert (E1 := E O 1%nat ltac:(lia) ltac:(lia)). assert (E2 := E O 2%nat ltac:(lia) ltac:(lia)).
    assert (E3 : A O 1%nat = A O 2%nat) by (rewrite E1, E2; reflexivity). refute E3.
Qed.
Theorem T14_price_refuted : ~ price (fun F s nu => nu).
Proof.
  intros H. assert (E := H rationals i1 i1 number 2%nat ltac:(side)). refute E.
Qed.

(** T18: T^2 = p T + q; E_{i+1} = T - R_i E_i; rows that do not sum to zero. *)
Theorem T18_ring_refuted : ~ ring_of_pairs (fun F q => - q).
Proof.
  intros H. destruct (H rationals i1 i1 i1 ltac:(side)) as (_ & _ & _ & E).
  apply (f_equal fst) in E. refute E.
Qed.
Theorem T18_pivots_refuted : ~ pair_pivots (@_minus).
Proof.
  intros H. destruct (H ordered_rationals i1 i1 i1 2%nat O ltac:(side) ltac:(side) ltac:(side)
    ltac:(lia)) as (_ & _ & _ & E). apply (f_equal fst) in E. refute E.
Qed.
Theorem T18_sweeps_path_refuted : ~ second_order_sweeps false lopsided_path.
Proof.
  intros H. destruct (H ordered_rationals i1 i1 i1 i1 number 3%nat ltac:(side) ltac:(side) ltac:(side)
    ltac:(side) ltac:(side)) as [_ E]. specialize (E 1%nat ltac:(lia)). refute E.
Qed.
Theorem T18_sweeps_cycle_refuted : ~ second_order_sweeps true lopsided_cycle.
Proof.
  intros H. destruct (H ordered_rationals i1 i1 i1 i1 number 3%nat ltac:(side) ltac:(side) ltac:(side)
    ltac:(side) ltac:(side)) as [_ E]. specialize (E O ltac:(lia)). refute E.
Qed.

(** The path's gradient commutes with rotations. *)
Theorem T18_symmetry_refuted : ~ second_order_commutes false (fun F x n i => x (next n i)).
Proof.
  intros H. assert (E := H ordered_rationals i1 i1 i1 i1 number 3%nat O ltac:(side) ltac:(side)
    ltac:(side) ltac:(side) ltac:(lia)). refute E.
Qed.

(** T11: the fluxes turned round, the two dot products exchanged, the jump turned round. *)
Definition twos (_ : nat) : nat := 2.
Lemma twos_positive b : (0 < twos b)%nat. Proof. unfold twos. lia. Qed.
Theorem T11_restriction_refuted :
  ~ restriction false (@path_laplacian) (fun F before after => after - before) /\
  ~ restriction true (@cycle_laplacian) (fun F before after => after - before).
Proof.
  split; intros H; assert (E := H rationals i1 i1 number twos 2%nat O 1%nat twos_positive
    ltac:(lia) ltac:(unfold twos; lia)); refute E.
Qed.
Theorem T11_ends_refuted : ~ ends (fun F own other => other).
Proof.
  intros H. pose (f := fun i => if Nat.eqb i O then i1 else - i1 : rationals).
  destruct (H ordered_rationals i1 i1 2%nat ltac:(side) ltac:(side) ltac:(lia) f 0 0 0 0
    ltac:(apply Qc_is_canon; reflexivity) ltac:(apply Qc_is_canon; reflexivity)) as (_ & _ & E & _).
  refute E.
Qed.
Ltac refute_link H := pose (one' := fun _ : nat => i1); pose (none := fun _ : nat => 0 : rationals);
  assert (E := H ordered_rationals none one' one' one' one' i1 i1 2%nat ltac:(side) ltac:(side)
    ltac:(side) ltac:(side) ltac:(side) ltac:(lia) ltac:(apply Qc_is_canon; reflexivity));
  cbv iota in E; match type of E with let '(_, _) := ?t in _ => rewrite (surjective_pairing t) in E end;
  destruct E as (_ & E & _); specialize (E O ltac:(lia)); refute E.
Theorem T11_path_refuted : ~ small_system false (fun F fall jump => fall - jump).
Proof. intros H. refute_link H. Qed.
(** Twice the energy. *)
Theorem T11_seam_refuted :
  ~ small_system true (fun F fall jump => fall - jump) /\ ~ seam_energy (fun F energy => energy + energy).
Proof.
  split; intros H; [refute_link H|]. pose (one' := fun _ : nat => i1).
  assert (E := H ordered_rationals one' one' one' i1 i1 2%nat ltac:(side) ltac:(side)
    ltac:(side) ltac:(side) ltac:(side) ltac:(lia)).
  rewrite (surjective_pairing (solve_path _ _ _ _ _ _ _ _)) in E. destruct E as [_ E]. refute E.
Qed.
(** A Laplacian for every block by itself, here for the first and the rest. *)
Definition cut (periodic : bool) (sizes : nat -> nat) : matrix := fun F x n i => let first := sizes O in
  if Nat.ltb i first then laplacian periodic x first i
  else laplacian periodic (fun j => x (first + j)%nat) (n - first) (i - first).
Theorem T11_all_gradients_refuted :
  ~ all_gradients false (cut false) /\ ~ all_gradients true (cut true).
Proof.
  split; intros H; match goal with H : all_gradients ?p _ |- _ =>
    pose (k := fun j => sharded (F := rationals) p i1 i1 i1 twos 2 number (j / 2)%nat (j mod 2)%nat);
    assert (E := H ordered_rationals i1 i1 i1 twos 2%nat number k ltac:(side) ltac:(side) ltac:(side)
      ltac:(side));
    cbn zeta in E;
    enough (E' : gram (F := rationals) (cut p twos rationals) i1 i1 i1 k 4 1 = number 1) by refute E';
    apply E; [|cbn; lia]; intros b i Hb Hi; unfold k;
    unfold twos in Hi; destruct b as [|[|b]], i as [|[|i]]; try lia; reflexivity
  end.
Qed.
