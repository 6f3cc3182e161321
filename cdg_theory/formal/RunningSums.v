(** T5.running-sums and T5.pivots: what the sweeps on the path are at beta = 0, and in closed form. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Loops Path.
Require Import Field ZArith.
Local Open Scope field_scope.

Section RunningSums.
Context {F : field}.
Add Field field_of_F : (laws F).

Lemma excess_zero (c : F) i : c <> 0 -> excess 0 c i = 0.
Proof. intros Hc. induction i as [|i IH]; simpl; auto. rewrite IH. field. known. Qed.
Lemma carry_one (c : F) i : c <> 0 -> path_carry 0 c i = 1.
Proof. intros Hc. unfold path_carry. rewrite excess_zero by auto. field. known. Qed.
Lemma homogeneous_one (c : F) n i : c <> 0 -> i <= n -> path_homogeneous 0 c (S n) i = 1.
Proof.
  intros Hc Hi. remember (n - i)%nat as d eqn:Hd. revert i Hi Hd.
  induction d as [|d IH]; intros i Hi Hd.
  - replace i with n by lia. apply homogeneous_last.
  - rewrite homogeneous_step, carry_one, IH by (auto; lia). ring.
Qed.

Theorem running_sums (c : F) (r : nat -> F) n : c <> 0 -> number n <> 0 :> F ->
  let x := solve_fluctuation r (path_factors 0 c n) n in
  forall i, i < n -> x i = (running r n i - mean (running r n) n) / c.
Proof.
  intros Hc Hn. cbn zeta. destruct n as [|n]; [lia|].
  destruct (path_factors_spec 0 c n Hc) as (Hflux & Hp & Hgain & Hlast & Hclosure).
  destruct (solve_fluctuation_spec r (path_factors 0 c (S n)) (S n))
    as (y & y' & z & Hy0 & Hy & Hy' & Hz & Hz0 & Hx).
  set (f := path_factors 0 c (S n)) in *. rewrite Hflux in Hy'.
  replace (S n - 1)%nat with n in Hz0 by lia.
  assert (Hysum : forall i, i < S n -> y i = sum r (S i)).
  { induction i as [|i IH]; intros Hi; [rewrite Hy0; simpl; ring|].
    rewrite Hy, IH, Hp, carry_one by (auto; lia). cbn [sum]. ring. }
  assert (Hz' : forall i, i < S n -> z i = running r (S n) i / c).
  { intros i Hi. remember (n - i)%nat as d eqn:Hd. revert i Hi Hd.
    induction d as [|d IH]; intros i Hi Hd.
    - replace i with n by lia. rewrite Hz0, Hlast.
      unfold running. replace (S n - 1 - n)%nat with 0%nat by lia. simpl. now field.
    - rewrite Hz, IH, Hp, carry_one, Hgain, Hy', Hysum, excess_zero by (auto; lia).
      unfold running. replace (S n - 1 - i)%nat with (S (S n - 1 - S i)) by lia.
      rewrite (sum_first (fun d => sum r (S (i + d)))). replace (i + 0)%nat with i by lia.
      rewrite (sum_ext (fun d => sum r (S (i + S d))) (fun d => sum r (S (S i + d))))
        by (intros; do 2 f_equal; lia).
      field; repeat split; known. }
  assert (Hh : forall i, i < S n -> closure f i = 1 / number (S n)).
  { intros i Hi. rewrite Hclosure, homogeneous_one by (auto; lia).
    rewrite (sum_ext (path_homogeneous 0 c (S n)) (fun _ => 1))
      by (intros; apply homogeneous_one; auto; lia).
    rewrite sum_const. f_equal. ring. }
  intros i Hi. rewrite Hx, Hh, Hz' by auto.
  rewrite (sum_ext z (fun i => (1 / c) * running r (S n) i)) by (intros; rewrite Hz' by auto; now field).
  rewrite sum_scale. unfold mean. field. auto.
Qed.

(** The pivots in closed form, in powers of a number r with beta = c (1 - r)^2 / r. *)
Theorem pivots (c : F) (power : Z -> F) n : powers power -> c <> 0 ->
  (forall i, (0 <= i)%Z -> 1 + power (2 * i + 1)%Z <> 0) ->
  let r := power 1%Z in let beta := c * (1 - r) * (1 - r) / r in
  (forall i, c + excess beta c i
    = c * (1 + power (2 * Z.of_nat i + 3)%Z) / (r * (1 + power (2 * Z.of_nat i + 1)%Z))) /\
  forall i, i < n -> path_homogeneous beta c n i
    = power (Z.of_nat n - 1 - Z.of_nat i)%Z * (1 + power (2 * Z.of_nat i + 1)%Z)
      / (1 + power (2 * Z.of_nat n - 1)%Z).
Proof.
  intros [H0 Hadd] Hc Hodd r beta.
  assert (Hr : r <> 0).
  { intros E. apply (F_1_neq_0 (laws F)). rewrite <- H0. replace 0%Z with (1 + - (1))%Z by ring.
    rewrite Hadd. fold r. rewrite E. ring. }
  assert (Hstep : forall a, power (a + 1)%Z = power a * r) by (intros; apply Hadd).
  assert (Hpivot : forall i, c + excess beta c i
    = c * (1 + power (2 * Z.of_nat i + 3)%Z) / (r * (1 + power (2 * Z.of_nat i + 1)%Z))).
  { induction i as [|i IH].
    - change (excess beta c 0) with beta. change (2 * Z.of_nat 0 + 3)%Z with (1 + 1 + 1)%Z.
      change (2 * Z.of_nat 0 + 1)%Z with 1%Z. rewrite !Hstep. fold r. unfold beta.
      assert (H := Hodd 0%Z ltac:(lia)). change (power (2 * 0 + 1)%Z) with r in H. field. auto.
    - cbn [excess]. assert (HE : excess beta c i = c * (1 + power (2 * Z.of_nat i + 3)%Z)
        / (r * (1 + power (2 * Z.of_nat i + 1)%Z)) - c) by (rewrite <- IH; ring).
      rewrite IH, HE. assert (H1 := Hodd (Z.of_nat i) ltac:(lia)).
      assert (H3 := Hodd (Z.of_nat i + 1)%Z ltac:(lia)).
      replace (2 * Z.of_nat (S i) + 3)%Z with (2 * Z.of_nat i + 1 + 1 + 1 + 1 + 1)%Z by lia.
      replace (2 * Z.of_nat (S i) + 1)%Z with (2 * Z.of_nat i + 1 + 1 + 1)%Z by lia.
      replace (2 * Z.of_nat i + 3)%Z with (2 * Z.of_nat i + 1 + 1 + 1)%Z by lia.
      replace (2 * (Z.of_nat i + 1) + 1)%Z with (2 * Z.of_nat i + 1 + 1 + 1)%Z in H3 by lia.
      rewrite !Hstep in *. unfold beta. field. auto. }
  split; [exact Hpivot|]. intros i Hi. destruct n as [|n]; [lia|].
  remember (n - i)%nat as d eqn:Hd. revert i Hi Hd. induction d as [|d IH]; intros i Hi Hd.
  - replace i with n by lia. rewrite homogeneous_last.
    replace (2 * Z.of_nat (S n) - 1)%Z with (2 * Z.of_nat n + 1)%Z by lia.
    replace (Z.of_nat (S n) - 1 - Z.of_nat n)%Z with 0%Z by lia. rewrite H0. field. apply Hodd. lia.
  - rewrite homogeneous_step, IH by lia. unfold path_carry. rewrite Hpivot.
    assert (H1 := Hodd (Z.of_nat i) ltac:(lia)). assert (H3 := Hodd (Z.of_nat i + 1)%Z ltac:(lia)).
    assert (H5 := Hodd (Z.of_nat n) ltac:(lia)).
    replace (2 * Z.of_nat (S n) - 1)%Z with (2 * Z.of_nat n + 1)%Z in * by lia.
    replace (2 * Z.of_nat (S i) + 1)%Z with (2 * Z.of_nat i + 3)%Z by lia.
    replace (2 * (Z.of_nat i + 1) + 1)%Z with (2 * Z.of_nat i + 3)%Z in * by lia.
    replace (Z.of_nat (S n) - 1 - Z.of_nat i)%Z with (Z.of_nat (S n) - 1 - Z.of_nat (S i) + 1)%Z by lia.
    rewrite (Hstep (Z.of_nat (S n) - 1 - Z.of_nat (S i))%Z). field. auto.
Qed.
End RunningSums.
