(** T5.resolvent-path: in powers of r, r + 1/r = 2 + beta/c, the closed form of inverse.py inverts
    beta I + c L on the path, for every n. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Inverse.
Require Import Field ZArith.
Local Open Scope field_scope.

Section Powers.
Context {F : field}.
Add Field field_of_F : (laws F).
Variable power : Z -> F.
Hypothesis Hpower : powers power.

Lemma power_zero : power 0%Z = 1. Proof. apply Hpower. Qed.
Lemma power_add a b : power (a + b)%Z = power a * power b. Proof. apply Hpower. Qed.
Lemma power_nonzero a : power a <> 0.
Proof.
  intros H. apply (F_1_neq_0 (laws F)). rewrite <- power_zero.
  replace 0%Z with (a + - a)%Z by ring. rewrite power_add, H. ring.
Qed.
Lemma power_opp a : power (- a)%Z = 1 / power a.
Proof.
  assert (H := power_nonzero a). transitivity (power (a + - a)%Z / power a).
  - rewrite power_add. now field.
  - replace (a + - a)%Z with 0%Z by ring. now rewrite power_zero.
Qed.
Lemma power_sub a b : power (a - b)%Z = power a / power b.
Proof.
  unfold Z.sub. rewrite power_add, power_opp. field. apply power_nonzero.
Qed.
End Powers.

(** An exponent, however it is written. *)
Ltac exponent power e := repeat match goal with
  | |- context [power ?x] => progress replace x with e by lia
  end.

Section Resolvent.
Context {F : field}.
Add Field field_of_F' : (laws F).
Variables (power : Z -> F) (c : F) (n : nat).
Hypothesis Hpower : powers power.
Let r := power 1%Z.
Let N := power (Z.of_nat n).
Let beta := c * (1 - r) * (1 - r) / r.
Hypothesis Hc : c <> 0.
Hypothesis Hr : r * r <> 1.
Hypothesis HN : N * N <> 1.

Let entry (i j : nat) : F :=
  path_resolvent (Z.of_nat (Nat.min i j)) (Z.of_nat (Nat.max i j)) (Z.of_nat n) c power.
Let R (a b : F) : F := b / a * (1 + a * a * r) * (1 + N * N / (r * b * b)) / (c * (1 / r - r) * (1 - N * N)).
Let P (i : nat) : F := power (Z.of_nat i).

Lemma P_zero : P 0 = 1. Proof. exact (power_zero power Hpower). Qed.
Lemma P_step i : P (S i) = P i * r.
Proof. unfold P, r. rewrite Nat2Z.inj_succ, <- power_add by auto. f_equal. Qed.

Let H1 : 1 - r * r <> 0. Proof. now apply sub_nonzero. Qed.
Let H2 : 1 - N * N <> 0. Proof. now apply sub_nonzero. Qed.
Let H3 : r <> 0. Proof. now apply power_nonzero. Qed.
Let H4 i : P i <> 0. Proof. exact (power_nonzero power Hpower (Z.of_nat i)). Qed.
Let H5 : 1 / r - r <> 0.
Proof. intros E. apply H1. transitivity (r * (1 / r - r)); [now field | rewrite E; ring]. Qed.
Ltac side := repeat split; first [exact (F_1_neq_0 (laws F)) | known | apply H4].

Lemma entry_spec i j : i <= j -> entry i j = R (P i) (P j) /\ entry j i = R (P i) (P j).
Proof.
  intros H. unfold entry. rewrite (Nat.min_comm j i), (Nat.max_comm j i), Nat.min_l, Nat.max_r by auto.
  enough (E : path_resolvent (Z.of_nat i) (Z.of_nat j) (Z.of_nat n) c power = R (P i) (P j)) by auto.
  unfold path_resolvent, R. cbn zeta. fold r.
  exponent power (Z.of_nat j - Z.of_nat i)%Z. exponent power (Z.of_nat i + Z.of_nat i + 1)%Z.
  exponent power (Z.of_nat n + Z.of_nat n - (1 + Z.of_nat j + Z.of_nat j))%Z.
  exponent power (Z.of_nat n + Z.of_nat n)%Z. exponent power (- (1))%Z.
  rewrite ?(power_opp power Hpower 1%Z), ?power_sub, ?power_add by auto.
  fold r N (P i) (P j). assert (Hi := H4 i). assert (Hj := H4 j). field. side.
Qed.

Lemma resolvent_rows i j : i < n -> j < n ->
  operator path_laplacian beta c (fun i => entry i j) n i = delta i j.
Proof.
  intros Hi Hj. unfold operator, path_laplacian, delta.
  assert (Hlast : forall m, S m = n -> N = P m * r) by (intros m <-; apply P_step).
  destruct (Nat.lt_trichotomy i j) as [Hlt | [-> | Hgt]].
  - rewrite eqb_false by lia. assert (Nat.ltb (S i) n = true) as -> by (apply Nat.ltb_lt; lia).
    rewrite (proj1 (entry_spec i j ltac:(lia))), (proj1 (entry_spec (S i) j ltac:(lia))).
    destruct i as [|i].
    + rewrite P_step, P_zero. unfold R, beta. field. side.
    + rewrite (proj1 (entry_spec i j ltac:(lia))), !P_step. unfold R, beta. field. side.
  - rewrite Nat.eqb_refl. rewrite (proj1 (entry_spec j j ltac:(lia))).
    destruct (Nat.ltb (S j) n) eqn:E; [apply Nat.ltb_lt in E | apply Nat.ltb_ge in E].
    + rewrite (proj2 (entry_spec j (S j) ltac:(lia))). destruct j as [|j].
      * rewrite P_step, P_zero. unfold R, beta. field. side.
      * rewrite (proj1 (entry_spec j (S j) ltac:(lia))), !P_step. unfold R, beta. field. side.
    + destruct j as [|j].
      * unfold R, beta. rewrite P_zero. assert (N = r) as EN by (rewrite (Hlast O) by lia; rewrite P_zero; ring).
        rewrite EN. field. side.
      * rewrite (proj1 (entry_spec j (S j) ltac:(lia))), !P_step. unfold R, beta.
        rewrite (Hlast (S j)), P_step by lia. rewrite (Hlast (S j)), P_step in H2 by lia. field. side.
  - rewrite eqb_false by lia.
    rewrite (proj2 (entry_spec j i ltac:(lia))). destruct i as [|i]; [lia|].
    rewrite (proj2 (entry_spec j i ltac:(lia))).
    destruct (Nat.ltb (S (S i)) n) eqn:E; [apply Nat.ltb_lt in E | apply Nat.ltb_ge in E].
    + rewrite (proj2 (entry_spec j (S (S i)) ltac:(lia))), !P_step. unfold R, beta. field. side.
    + rewrite !P_step. unfold R, beta.
      rewrite (Hlast (S i)), P_step by lia. rewrite (Hlast (S i)), P_step in H2 by lia. field. side.
Qed.

Hypothesis Hone : r <> 1.
Lemma beta_nonzero : beta <> 0.
Proof.
  assert (H := sub_nonzero _ _ Hone). unfold beta.
  apply div_nonzero; auto. now repeat apply mul_nonzero.
Qed.

Theorem path_resolvent_inverse (alpha : F) j : number n <> 0 :> F -> alpha <> 0 -> j < n ->
  let k := fun i => 1 / (number n * alpha) + (entry i j - 1 / (number n * beta)) in
  forall i, i < n -> gram path_laplacian alpha beta c k n i = delta i j.
Proof.
  intros Hn Ha Hj. apply resolvent_column; auto using path_is_laplacian, beta_nonzero.
  intros i Hi. now apply resolvent_rows.
Qed.
End Resolvent.
