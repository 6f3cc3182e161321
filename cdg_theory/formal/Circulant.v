(** T5.inverse-cycle, T5.resolvent-cycle and T5.images: functions of the distance around the cycle. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Inverse Resolvent.
Require Import Field ZArith.
Local Open Scope field_scope.

Section Circulant.
Context {F : field}.
Add Field field_of_F : (laws F).

(** A function of the distance that does not mind which way round it is measured. *)
Variables (f : nat -> F) (n : nat).
Hypothesis around : forall d, d <= n -> f (n - d)%nat = f d.

Lemma circulant_sum j : j < n -> sum (fun i => f (distance i j)) n = sum f n.
Proof.
  induction j as [|j IH]; intros Hj.
  - apply sum_ext. intros i _. unfold distance. f_equal. lia.
  - rewrite <- IH by lia. destruct n as [|m] eqn:E; [lia|]. rewrite sum_first. cbn [sum].
    rewrite (sum_ext (fun i => f (distance (S i) (S j))) (fun i => f (distance i j)))
      by (intros; unfold distance; f_equal; lia).
    assert (f (distance 0 (S j)) = f (distance m j)) as ->; [|ring].
    rewrite <- around by (unfold distance; lia). f_equal. unfold distance. lia.
Qed.
Lemma circulant_laplacian i j : i < n -> j < n ->
  cycle_laplacian (fun i => f (distance i j)) n i = match distance i j with
    | O => (f O - f 1%nat) + (f O - f 1%nat)
    | S u => (f (S u) - f u) + (f (S u) - f (S (S u))) end.
Proof.
  intros Hi Hj. unfold cycle_laplacian.
  assert (same : forall a d, d <= n -> a = d \/ a = (n - d)%nat -> f a = f d)
    by (intros a d Hd [->| ->]; auto).
  destruct (Nat.lt_trichotomy i j) as [H | [-> | H]].
  - destruct (distance i j) as [|u] eqn:E; [unfold distance in E; lia|].
    rewrite (same (distance (next n i) j) u), (same (distance (prev n i) j) (S (S u))); [ring| | | |];
      unfold distance in *; try lia.
    + destruct i; cbn [prev] in *; lia.
    + rewrite next_inner by lia. lia.
  - replace (distance j j) with O by (unfold distance; lia).
    rewrite (same (distance (next n j) j) 1%nat), (same (distance (prev n j) j) 1%nat); [ring| | | |];
      unfold distance; try lia.
    + destruct j; cbn [prev] in *; lia.
    + destruct (Nat.eq_dec (S j) n) as [Hn|Hn]; [|rewrite next_inner by lia; lia].
      rewrite next_last by auto. lia.
  - destruct (distance i j) as [|u] eqn:E; [unfold distance in E; lia|].
    rewrite (same (distance (prev n i) j) u), (same (distance (next n i) j) (S (S u))); [ring| | | |];
      unfold distance in *; try lia.
    + destruct (Nat.eq_dec (S i) n) as [Hn|Hn]; [|rewrite next_inner by lia; lia].
      rewrite next_last by auto. lia.
    + destruct i; cbn [prev] in *; lia.
Qed.
End Circulant.

Section Cycle.
Context {F : field}.
Add Field field_of_F' : (laws F).

Lemma number_add a b : number (a + b) = number a + number b :> F.
Proof. induction a as [|a IH]; simpl; [ring | rewrite IH; ring]. Qed.
Lemma number_sub a b : b <= a -> number (a - b) = number a - number b :> F.
Proof.
  intros H. transitivity (number (a - b + b) - number b : F); [rewrite number_add; ring|].
  now replace (a - b + b)%nat with a by lia.
Qed.

Theorem cycle_inverse (alpha c : F) n j : number 2 <> 0 :> F -> number 3 <> 0 :> F ->
  alpha <> 0 -> c <> 0 -> number n <> 0 :> F -> j < n ->
  let k := fun i => 1 / (number n * alpha) + cycle_entry (number (distance i j)) (number n) / c in
  forall i, i < n -> gram cycle_laplacian alpha 0 c k n i = delta i j.
Proof.
  intros H2 H3 Ha Hc Hn Hj. cbn zeta.
  set (f := fun d => cycle_entry (number d) (number n) : F).
  assert (Hf := fun d => cycle_entry_rows H2 H3 d (number n) Hn).
  assert (around : forall d, d <= n -> f (n - d)%nat = f d)
    by (intros d Hd; unfold f; rewrite number_sub by auto; apply Hf).
  apply column; auto using cycle_is_laplacian.
  - rewrite (sum_ext _ (fun i => 1 / c * f (distance i j))) by (intros; unfold f; field; auto).
    rewrite (sum_scale (fun i => f (distance i j))), circulant_sum by auto.
    unfold f. rewrite cycle_entry_sum by auto. ring.
  - intros i Hi. rewrite (operator_ext cycle_laplacian cycle_is_laplacian 0 c _
      (fun i => 1 / c * f (distance i j) + 0 * f (distance i j)))
      by (auto; intros; unfold f; field; auto).
    rewrite (operator_linear cycle_laplacian cycle_is_laplacian). unfold operator.
    rewrite circulant_laplacian by auto. unfold delta.
    destruct (distance i j) as [|u] eqn:E.
    + assert (i = j) as -> by (unfold distance in E; lia). rewrite Nat.eqb_refl.
      destruct (Hf 0) as (_ & H & _). unfold f. cbn [number].
      replace (0 + 1 : F) with (1 : F) by ring. rewrite H. field. auto.
    + rewrite eqb_false by (intros ->; unfold distance in E; lia).
      destruct (Hf (number (S u))) as (H & _ & _). unfold f. cbn [number] in *.
      replace (number u + 1 - 1 : F) with (number u : F) in H by ring. rewrite H. field. auto.
Qed.

Variables (power : Z -> F) (c : F) (n : nat).
Hypothesis Hpower : powers power.
Let r := power 1%Z.
Let N := power (Z.of_nat n).
Let beta := c * (1 - r) * (1 - r) / r.
Hypothesis Hc : c <> 0.
Hypothesis Hr : r * r <> 1.
Hypothesis HN : N <> 1.
Let H1 : 1 - r * r <> 0. Proof. now apply sub_nonzero. Qed.
Let H2 : 1 - N <> 0. Proof. now apply sub_nonzero. Qed.
Let H3 : r <> 0. Proof. now apply power_nonzero. Qed.
Let H5 : 1 / r - r <> 0.
Proof. intros E. apply H1. transitivity (r * (1 / r - r)); [now field | rewrite E; ring]. Qed.
Ltac side := repeat split; first [exact (F_1_neq_0 (laws F)) | known].

Lemma cycle_resolvent_spec (d : Z) : let a := power d in
  cycle_resolvent d (Z.of_nat n) c power = (a + N / a) / (c * (1 / r - r) * (1 - N)).
Proof.
  cbn zeta. unfold cycle_resolvent. assert (Ha := power_nonzero power Hpower d).
  exponent power (- (1))%Z. exponent power (Z.of_nat n - d)%Z.
  rewrite ?(power_opp power Hpower 1%Z), ?power_sub by auto. fold r N. field. side.
Qed.

Theorem cycle_resolvent_inverse (alpha : F) j : r <> 1 -> number n <> 0 :> F -> alpha <> 0 -> j < n ->
  let k := fun i => 1 / (number n * alpha)
    + (cycle_resolvent (Z.of_nat (distance i j)) (Z.of_nat n) c power - 1 / (number n * beta)) in
  forall i, i < n -> gram cycle_laplacian alpha beta c k n i = delta i j.
Proof.
  intros Hone Hn Ha Hj. assert (Hb : beta <> 0) by (now apply beta_nonzero).
  apply resolvent_column; auto using cycle_is_laplacian.
  set (f := fun d => cycle_resolvent (Z.of_nat d) (Z.of_nat n) c power).
  intros i Hi. change (operator cycle_laplacian beta c (fun i => f (distance i j)) n i = delta i j).
  unfold operator. rewrite circulant_laplacian; auto.
  - unfold delta. destruct (distance i j) as [|u] eqn:E.
    + assert (i = j) as -> by (unfold distance in E; lia). rewrite Nat.eqb_refl.
      unfold f. rewrite !cycle_resolvent_spec. change (Z.of_nat 1) with 1%Z. change (Z.of_nat 0) with 0%Z.
      rewrite power_zero by auto. fold r. unfold beta. field. side.
    + rewrite eqb_false by (intros ->; unfold distance in E; lia).
      unfold f. rewrite !cycle_resolvent_spec, !Nat2Z.inj_succ, <- !Z.add_1_r, !power_add by auto.
      assert (Hu := power_nonzero power Hpower (Z.of_nat u)). fold r. unfold beta. field. side.
  - intros d Hd. unfold f. rewrite !cycle_resolvent_spec, Nat2Z.inj_sub, power_sub by auto.
    fold N. assert (Hd' := power_nonzero power Hpower (Z.of_nat d)).
    assert (HN' := power_nonzero power Hpower (Z.of_nat n)). fold N in HN'. field. side.
Qed.

(** What the cycle's resolvent has less at distance u than at 0. *)
Theorem drop (u : Z) :
  cycle_resolvent 0%Z (Z.of_nat n) c power - cycle_resolvent u (Z.of_nat n) c power
  = cycle_drop u (Z.of_nat n) (c * (power (-1)%Z - power 1%Z)) (fun e => 1 - power e).
Proof.
  rewrite !cycle_resolvent_spec. unfold cycle_drop. assert (Hu := power_nonzero power Hpower u).
  exponent power (- (1))%Z. exponent power (Z.of_nat n - u)%Z.
  rewrite ?(power_opp power Hpower 1%Z), ?power_sub, power_zero by auto. fold r N. field. side.
Qed.
End Cycle.

Section Images.
Context {F : field}.
Add Field field_of_F'' : (laws F).
Variables (power : Z -> F) (c : F) (n : nat).
Hypothesis Hpower : powers power.
Let r := power 1%Z.
Let N := power (Z.of_nat n).
Hypothesis Hc : c <> 0.
Hypothesis Hr : r * r <> 1.
Hypothesis HN : N * N <> 1.

(** The path is half of a cycle of 2 n nodes. *)
Theorem images (lo hi : Z) :
  path_resolvent lo hi (Z.of_nat n) c power
  = cycle_resolvent (hi - lo)%Z (Z.of_nat (2 * n)) c power
    + cycle_resolvent (lo + hi + 1)%Z (Z.of_nat (2 * n)) c power.
Proof.
  assert (H1 : 1 - r * r <> 0) by now apply sub_nonzero.
  assert (H2 : 1 - N * N <> 0) by now apply sub_nonzero.
  assert (H3 : r <> 0) by now apply power_nonzero.
  assert (E : power (Z.of_nat (2 * n)) = N * N)
    by (unfold N; rewrite <- power_add by auto; f_equal; lia).
  assert (Hlo := power_nonzero power Hpower lo). assert (Hhi := power_nonzero power Hpower hi).
  assert (H5 : 1 / r - r <> 0).
  { intros E'. apply H1. transitivity (r * (1 / r - r)); [now field | rewrite E'; ring]. }
  assert (HN' := power_nonzero power Hpower (Z.of_nat n)). fold N in HN'.
  rewrite !(cycle_resolvent_spec power c (2 * n) Hpower Hc Hr) by (rewrite E; auto).
  rewrite E. unfold path_resolvent. cbn zeta.
  exponent power (hi - lo)%Z. exponent power (lo + lo + 1)%Z.
  exponent power (Z.of_nat n + Z.of_nat n - (1 + hi + hi))%Z.
  exponent power (Z.of_nat n + Z.of_nat n)%Z. exponent power (- (1))%Z.
  rewrite ?(power_opp power Hpower 1%Z), ?power_sub, ?power_add by auto. fold r N.
  field. repeat split; first [exact (F_1_neq_0 (laws F)) | known].
Qed.
End Images.
