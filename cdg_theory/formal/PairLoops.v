(** What the generated functions of curvature.py compute, one after the other. This is the file that
    a change of curvature.py meets first. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Metric Pairs.
Require Import Field.
Local Open Scope field_scope.

Section Loops.
Context {F : field}.
Add Field field_of_F : (laws F).
Local Notation array := (nat -> F).
Local Notation K := (F * F)%type.

(** Element i of an array of elements, and of a pair of arrays of levels and moments. *)
Definition element (R : array * array) (i : nat) : K := (fst R i, snd R i).
Definition paired (uw : array * array) (i : nat) : K := (snd uw i, fst uw i).

Lemma eliminate_pair_spec (p q A B : F) : eliminate_pair p q A B =
  (norm p q A B, (A + (q * A * A + p * A * B + B * B)) / norm p q A B, 1 + B / norm p q A B).
Proof.
  assert (HW : forall N N' x y : F, N = N' -> x = y -> x / N = y / N') by (intros; now subst).
  unfold eliminate_pair. cbn zeta. apply (f_equal2 pair); [apply (f_equal2 pair)|].
  - unfold norm, number. ring.
  - apply HW; unfold norm, number; ring.
  - match goal with |- ?x = 1 + B / ?N => match x with context [B / ?N'] =>
      replace N' with N by (unfold norm, number; ring) end end. ring.
Qed.

(** R_i = (1 + E_i)^-1, as it is computed. *)
Definition pair_carry_at (beta c d : F) (i : nat) : K :=
  let '(A, B) := pair_excess (c / d) (beta / d) i in let N := norm (c / d) (beta / d) A B in
  ((1 + beta / d * A) / N, B / d / N).
Lemma pair_carries_spec (beta c d : F) n : d <> 0 ->
  forall i, S i < n -> element (pair_carries beta c d n) i = pair_carry_at beta c d i.
Proof.
  intros Hd. unfold pair_carries. cbn zeta beta iota.
  replace (0 * d) with (0 : F) by ring. replace (d / d) with (1 : F) by now field.
  match goal with |- context [for_up _ ?step ?first] => set (body := step); set (start := first) end.
  assert (H : forall m, fst (for_up m body start) = pair_excess (c / d) (beta / d) m /\
    forall i, i < m -> element (snd (for_up m body start)) i = pair_carry_at beta c d i).
  { induction m as [|m [IHe IHc]]; [split; [reflexivity | lia]|]. cbn [for_up].
    destruct (for_up m body start) as [[A B] carries]. cbn [fst snd] in *. unfold body.
    cbn beta iota zeta. rewrite eliminate_pair_spec. cbn [fst snd Nat.add]. split.
    - cbn [pair_excess]. now rewrite <- IHe.
    - intros i Hi. unfold element. cbn [fst snd]. destruct (Nat.eq_dec i m) as [->|Hne].
      + rewrite !set_same. unfold pair_carry_at. rewrite <- IHe. f_equal.
        all: match goal with |- ?x / ?N = ?y / ?N => assert (x = y) as ->; [ring | reflexivity]
          | _ => reflexivity end.
      + rewrite !set_other by auto. apply IHc. lia. }
  intros i Hi. destruct (H (n - 1)%nat) as [_ Hm].
  destruct (for_up (n - 1) body start) as [[A B] carries]. apply Hm. lia.
Qed.

Variables c omega : F.
Local Notation own_ring := {| ring_c := c; ring_omega := omega |}.
Local Notation times := (times c omega).
Local Notation determinant := (determinant c omega).
Add Ring ring_of_elements : (elements_ring c omega).

Lemma carry_forward_pairs u w (R : array * array) n :
  let UW := curvature_carry_forward u w own_ring R n in let load := paired (u, w) in
  paired UW O = load O /\
  forall i, S i < n -> paired UW (S i) = plus (load (S i)) (times (element R i) (paired UW i)).
Proof.
  unfold curvature_carry_forward. cbn zeta.
  match goal with |- context [for_up _ ?step ?first] => set (body := step); set (start := first) end.
  assert (H : forall m, let UW := for_up m body start in paired UW O = paired start O /\
    (forall i, i < m -> paired UW (S i) = plus (paired start (S i)) (times (element R i) (paired UW i))) /\
    forall i, m < i -> paired UW i = paired start i).
  { induction m as [|m [IH0 [IHlow IHhigh]]]; cbn zeta; [repeat split; auto; lia|]. cbn [for_up].
    destruct (for_up m body start) as [U W] eqn:E. unfold body. cbn beta iota zeta.
    rewrite act_spec. destruct (swap _) as [level moment] eqn:Eact.
    assert (Hstep : times (element R m) (paired (U, W) m) = (moment, level)).
    { rewrite <- (swap_swap (times _ _)). change (paired (U, W) m) with (swap (U m, W m)).
      change (element R m) with (fst R m, snd R m). rewrite Eact. reflexivity. }
    repeat split.
    - unfold paired at 1. cbn [fst snd]. rewrite !set_other by lia. exact IH0.
    - intros i Hi. destruct (Nat.eq_dec i m) as [->|Hne].
      + unfold paired at 3. cbn [fst snd]. rewrite !(set_other _ _ m) by lia.
        change (W m, U m) with (paired (U, W) m). rewrite Hstep.
        rewrite <- IHhigh by lia. unfold paired, plus. cbn [fst snd]. rewrite !set_same. f_equal; ring.
      + unfold paired at 1 3. cbn [fst snd]. rewrite !set_other by lia. apply IHlow. lia.
    - intros i Hi. unfold paired at 1. cbn [fst snd]. rewrite !set_other by lia. apply IHhigh. lia. }
  destruct (H (n - 1)%nat) as (H0 & Hlow & _).
  destruct (for_up (n - 1) body start) as [U W]. split; [exact H0 | intros i Hi; apply Hlow; lia].
Qed.

Lemma carry_backward_pairs u w (R : array * array) n : 0 < n ->
  let ZW := curvature_carry_backward u w own_ring R n in let U := paired (u, w) in
  paired ZW (n - 1)%nat = nothing /\
  forall i, S i < n -> paired ZW i = times (element R i) (plus (paired ZW (S i)) (U i)).
Proof.
  intros Hn. unfold curvature_carry_backward. cbn zeta.
  match goal with |- context [for_down _ ?step ?first] => set (body := step); set (start := first) end.
  assert (Hlast : paired start (n - 1)%nat = nothing).
  { unfold start, paired, nothing. cbn [fst snd]. rewrite !set_same. f_equal; ring. }
  assert (Hstart : forall i, S i < n -> paired start i = paired (u, w) i).
  { intros i Hi. unfold start, paired. cbn [fst snd]. now rewrite !set_other by lia. }
  assert (Hbody : forall m b, paired (body m b) m = times (element R m) (plus (paired b (S m)) (paired b m))
    /\ forall i, i <> m -> paired (body m b) i = paired b i).
  { intros m [x y]. unfold body. cbn beta iota zeta. rewrite act_spec.
    destruct (swap _) as [level moment] eqn:Eact. split.
    - unfold paired at 1. cbn [fst snd]. rewrite !set_same.
      change (moment, level) with (swap (level, moment)). rewrite <- Eact, swap_swap.
      apply (f_equal2 times); [reflexivity|]. unfold paired, plus, swap. cbn [fst snd]. f_equal; ring.
    - intros i Hi. unfold paired. cbn [fst snd]. now rewrite !set_other by auto. }
  assert (H : forall m b, let ZW := for_down m body b in
    (forall i, i < m -> paired ZW i = times (element R i) (plus (paired ZW (S i)) (paired b i))) /\
    forall i, m <= i -> paired ZW i = paired b i).
  { induction m as [|m IH]; intros b; cbn zeta; cbn [for_down]; [split; [lia | auto]|].
    destruct (IH (body m b)) as [Hlow Hhigh]. destruct (Hbody m b) as [Hm Hother].
    assert (Hafter : forall i, S m <= i -> paired (for_down m body (body m b)) i = paired b i)
      by (intros; rewrite Hhigh, Hother by lia; reflexivity).
    split; [intros i Hi | exact Hafter]. destruct (Nat.eq_dec i m) as [->|Hne].
    - rewrite (Hafter (S m)), (Hhigh m) by lia. exact Hm.
    - rewrite Hlow, Hother by lia. reflexivity. }
  destruct (H (n - 1)%nat start) as [Hlow Hhigh].
  destruct (for_down (n - 1) body start) as [x y]. split; [now rewrite Hhigh|].
  intros i Hi. rewrite <- Hstart by auto. apply Hlow. lia.
Qed.

(** The two sweeps, and the closing. *)
Lemma solve_path_pairs loads (f : @pair_factors F) n : pair_ring f = own_ring -> 0 < n ->
  exists U Z : nat -> K, let R := element (pair_carry f) in
  U O = paired loads O /\ (forall i, S i < n -> U (S i) = plus (paired loads (S i)) (times (R i) (U i))) /\
  Z (n - 1)%nat = nothing /\ (forall i, S i < n -> Z i = times (R i) (plus (Z (S i)) (U i))) /\
  forall i, paired (curvature_solve_path loads f n) i
    = minus (Z i) (times (element (pair_closure f) i) (total Z n)).
Proof.
  intros Hring Hn. destruct loads as [u w]. unfold curvature_solve_path. cbn zeta beta iota.
  rewrite Hring. destruct (carry_forward_pairs u w (pair_carry f) n) as [HU0 HU].
  destruct (curvature_carry_forward _ _ _ _ _) as [u' w'].
  destruct (carry_backward_pairs u' w' (pair_carry f) n Hn) as [HZ0 HZ].
  destruct (curvature_carry_backward _ _ _ _ _) as [x m].
  exists (paired (u', w')), (paired (x, m)). cbn zeta. do 4 (split; [assumption|]).
  intros i. unfold by_row. cbn [fst snd]. unfold paired at 1. cbn [fst snd].
  rewrite minus_spec, !act_spec. unfold minus, swap, paired, total, element. cbn [fst snd].
  repeat f_equal.
Qed.

Lemma homogeneous_spec (R : array * array) (d : F) n : d <> 0 -> 0 < n ->
  let H := element (homogeneous_pairs R own_ring d n) in
  H (n - 1)%nat = unit /\ forall i, S i < n -> H i = times (element R i) (H (S i)).
Proof.
  intros Hd Hn. cbn zeta. unfold homogeneous_pairs. cbn zeta.
  replace (0 * d) with (0 : F) by ring. replace (d / d) with (1 : F) by now field.
  set (up := (reversed (fst R) (n - 1), reversed (snd R) (n - 1))).
  match goal with |- context [for_up _ ?step ?first] => set (body := step); set (start := first) end.
  assert (Hgrown : forall m, element (for_up m body start) O = unit /\
    (forall i, i < m -> element (for_up m body start) (S i)
      = times (element up i) (element (for_up m body start) i))).
  { induction m as [|m [IH0 IH]]; [split; [reflexivity | lia]|]. cbn [for_up].
    set (h := for_up m body start) in *. unfold body. cbn [Nat.add]. rewrite !times_spec. split.
    - unfold element. cbn [fst snd]. rewrite !set_other by lia. exact IH0.
    - intros i Hi. unfold element at 1 3. cbn [fst snd]. destruct (Nat.eq_dec i m) as [->|Hne].
      + rewrite !set_same, !(set_other _ _ m) by lia. symmetry. apply surjective_pairing.
      + rewrite !set_other by lia. apply IH. lia. }
  destruct (Hgrown (n - 1)%nat) as [H0 Hstep]. set (h := for_up (n - 1) body start) in *.
  set (H := element _). assert (HH : forall i, i < n -> H i = element h (n - 1 - i)) by (intros; reflexivity).
  split.
  - rewrite HH by lia. replace (n - 1 - (n - 1))%nat with O by lia. exact H0.
  - intros i Hi. rewrite !HH by lia. replace (n - 1 - i)%nat with (S (n - 1 - S i)) by lia.
    rewrite Hstep by lia. f_equal. unfold up, element, reversed. cbn [fst snd].
    now replace (n - 1 - 1 - (n - 1 - S i))%nat with i by lia.
Qed.
End Loops.

Section Factors.
Context {F : field}.
Add Field field_of_field : (laws F).
Variables beta c d : F.
Hypothesis Hd : d <> 0.
Lemma path_pair_factors_spec n : 0 < n -> let f := path_pair_factors beta c d n in
  pair_ring f = {| ring_c := c; ring_omega := beta * d |} /\ seam f = None /\
  (forall i, S i < n -> element (pair_carry f) i = pair_carry_at beta c d i) /\
  exists H V : _, H (n - 1)%nat = unit /\
    (forall i, S i < n -> H i = times c (beta * d) (pair_carry_at beta c d i) (H (S i))) /\
    V = Ring_inverse {| ring_c := c; ring_omega := beta * d |} (total H n) /\
    forall i, element (pair_closure f) i = times c (beta * d) V (H i).
Proof.
  intros Hn. cbn zeta. unfold path_pair_factors. cbn zeta. cbn [pair_ring seam pair_carry pair_closure].
  assert (HR := pair_carries_spec beta c d n Hd).
  set (R := pair_carries beta c d n) in *. repeat split; auto.
  destruct (homogeneous_spec c (beta * d) R d n Hd Hn) as [H0 Hstep]. cbn zeta in *.
  set (H := homogeneous_pairs R _ d n) in *. exists (element H). eexists.
  split; [exact H0|]. split; [|split].
  - intros i Hi. rewrite Hstep, HR by auto. reflexivity.
  - reflexivity.
  - intros i. unfold element at 1, by_row. cbn [fst snd]. rewrite !times_spec.
    symmetry. apply surjective_pairing.
Qed.
End Factors.
