(** T11.path and T11.seam: blocks.py solves the small system of a path of blocks, and of a cycle. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order.
Require Import Field.
Local Open Scope field_scope.

Section Elimination.
Context {F : field}.
Add Field field_of_F : (laws F).
Variables (q J n tau C : nat -> F) (beta w : F).

Local Notation E := (block_excess beta n tau C).
Definition divisor b := C b * tau b + E b.
Definition block_carry b := C b / divisor b.
Fixpoint Y b := match b with
  | O => q O
  | S a => q (S a) + block_carry a * (tau a * Y a + E a * J a) end.

Lemma own_quotient (x : F) : x <> 0 -> x / x = 1.
Proof. intros H. now field. Qed.
(** A carry of block m, however its divisor is written. *)
Ltac carries Hp m := repeat match goal with
  | |- context [C m / ?d] => rewrite (Hp d) by (unfold divisor; ring)
  end.

(** What the generated loops compute. *)
Lemma solve_path_spec count : (forall b, n b / n b = 1) -> exists level0 h : nat -> F,
  level0 (count - 1)%nat = 0 /\ h (count - 1)%nat = 1 /\
  (forall b, S b < count -> level0 b
    = Y b / divisor b + block_carry b * (tau (S b) * level0 (S b) - J b)) /\
  (forall b, S b < count -> h b = block_carry b * tau (S b) * h (S b)) /\
  let s := (Y (count - 1) - w * sum (fun b => n b * level0 b) count)
    / (E (count - 1) + w * sum (fun b => n b * h b) count) in
  let level := fst (solve_path q J n tau C beta w count) in
  let flux := snd (solve_path q J n tau C beta w count) in
  (forall b, level b = level0 b + h b * s) /\
  (forall b, S b < count -> flux b
    = block_carry b * (tau b * Y b + E b * J b) - block_carry b * E b * tau (S b) * level (S b)) /\
  flux (count - 1)%nat = 0.
Proof.
  intros Hn. unfold solve_path.
  match goal with |- context [for_up _ ?step ?first] => set (body := step); set (start := first) end.
  assert (H : forall m, let '(Y', E', p, y, e) := for_up m body start in
    (forall b, b <= m -> Y' b = Y b) /\ (forall b, m < b -> Y' b = q b) /\
    (forall b, b <= m -> E' b = E b) /\ (forall b, m < b -> E' b = beta * n b) /\
    (forall b, m <= b -> y b = 0 /\ e b = 0) /\
    forall b, b < m -> p b = block_carry b /\ y b = block_carry b * (tau b * Y b + E b * J b) /\
      e b = block_carry b * E b * tau (S b)).
  { induction m as [|m IH].
    - cbn [for_up]. unfold start. split; [|split; [|split; [|split; [|split]]]]; intros b Hlt; try lia.
      + replace b with O by lia. reflexivity.
      + reflexivity.
      + replace b with O by lia. cbn [block_excess]. ring.
      + ring.
      + split; reflexivity.
    - cbn [for_up]. destruct (for_up m body start) as [[[[Y' E'] p] y] e].
      destruct IH as (HY & HYq & HE & HEq & Hz & Hb). unfold body.
      repeat (rewrite set_same in * || cbn beta in *).
      assert (HYm := HY m ltac:(lia)). assert (HEm := HE m ltac:(lia)).
      assert (Hp : forall d, d = divisor m -> C m / d = block_carry m) by (intros d ->; reflexivity).
      split; [|split; [|split; [|split; [|split]]]].
      + intros b Hle. destruct (Nat.eq_dec b (S m)) as [->|Hne].
        * rewrite set_same, HYq by lia. cbn [Y]. rewrite ?set_same, HYm, HEm. carries Hp m. ring.
        * rewrite set_other by lia. apply HY. lia.
      + intros b Hlt. rewrite set_other by lia. apply HYq. lia.
      + intros b Hle. destruct (Nat.eq_dec b (S m)) as [->|Hne].
        * rewrite set_same, HEq by lia. cbn [block_excess]. rewrite ?set_same, HEm. carries Hp m. ring.
        * rewrite set_other by lia. apply HE. lia.
      + intros b Hlt. rewrite set_other by lia. apply HEq. lia.
      + intros b Hlt. rewrite !set_other by lia. apply Hz. lia.
      + intros b Hlt. destruct (Nat.eq_dec b m) as [->|Hne].
        * rewrite ?set_same, ?HYm, HEm. carries Hp m. repeat split; ring.
        * rewrite !set_other by lia. apply Hb. lia. }
  specialize (H (count - 1)%nat). subst start. destruct (for_up _ body _) as [[[[Y' E'] p] y] e].
  destruct H as (HY & _ & HE & _ & Hz & Hb).
  clear body. match goal with |- context [for_down _ ?step ?first] =>
    set (body := step); set (start := first) end.
  assert (H : forall m s, let '(l, h) := for_down m body s in
    (forall b, m <= b -> l b = fst s b /\ h b = snd s b) /\
    forall b, b < m -> l b = Y' b / (C b * tau b + E' b) + p b * (tau (S b) * l (S b) - J b) /\
      h b = p b * tau (S b) * h (S b)).
  { induction m as [|m IH]; intros [l0 h0]; cbn [for_down]; [split; [auto | lia]|].
    specialize (IH (body m (l0, h0))). destruct (for_down m body (body m (l0, h0))) as [l h].
    destruct IH as [Hhigh Hlow]. split.
    - intros b Hle. destruct (Hhigh b ltac:(lia)) as [-> ->]. unfold body. cbn [fst snd].
      rewrite !set_other by lia. auto.
    - intros b Hlt. destruct (Nat.eq_dec b m) as [->|Hne]; [|apply Hlow; lia].
      destruct (Hhigh m ltac:(lia)) as [-> ->]. destruct (Hhigh (S m) ltac:(lia)) as [-> ->].
      unfold body. cbn [fst snd]. rewrite !set_same, !set_other by lia. split; ring. }
  specialize (H (count - 1)%nat start). destruct (for_down _ body start) as [l h].
  destruct H as [Hhigh Hlow]. destruct (Hhigh (count - 1)%nat ltac:(lia)) as [Hl0 Hh0].
  exists l, h. cbn [fst snd start] in *.
  assert (Hd : forall b, b <= count - 1 -> C b * tau b + E' b = divisor b)
    by (intros; unfold divisor; rewrite HE by auto; ring).
  assert (Hp : forall b, S b < count -> p b = block_carry b) by (intros; apply Hb; lia).
  split; [exact Hl0|]. split; [rewrite Hh0; first [apply Hn | reflexivity]|]. split; [|split; [|split; [|split]]].
  - intros b Hlt. destruct (Hlow b ltac:(lia)) as [-> _]. now rewrite HY, Hp, Hd by lia.
  - intros b Hlt. destruct (Hlow b ltac:(lia)) as [_ ->]. now rewrite Hp by lia.
  - intros b. rewrite HY, HE by lia. ring.
  - intros b Hlt. destruct (Hb b ltac:(lia)) as (_ & -> & ->). rewrite HY, HE, next_inner by lia. ring.
  - destruct (Hz (count - 1)%nat ltac:(lia)) as [-> ->]. ring.
Qed.

(** The small system: every block's balance, every interface, and the mean constraint. *)
Definition solves periodic count (level flux : nat -> F) : Prop :=
  (forall b, b < count -> beta * n b * level b = q b + flux (prev count b) - flux b) /\
  (forall b, b < count -> flux b = if followed periodic count b
    then C b * (tau b * level b - tau (next count b) * level (next count b) + J b) else 0) /\
  sum (fun b => n b * level b) count = 0.

Theorem solve_path_solves count : 0 < count -> (forall b, n b / n b = 1) ->
  (forall b, S b < count -> divisor b <> 0) -> beta + w <> 0 ->
  (forall h, h (count - 1)%nat = 1 ->
    (forall b, S b < count -> h b = block_carry b * tau (S b) * h (S b)) ->
    E (count - 1) + w * sum (fun b => n b * h b) count <> 0) ->
  sum q count = 0 ->
  let '(level, flux) := solve_path q J n tau C beta w count in solves false count level flux.
Proof.
  intros Hcount Hn Hdivisor Hw Hlast Hq.
  destruct (solve_path_spec count Hn) as (l & h & Hl0 & Hh0 & Hl & Hh & Hlevel & Hflux & Hseam).
  specialize (Hlast h Hh0 Hh). destruct (solve_path q J n tau C beta w count) as [level flux].
  cbn [fst snd] in *. set (s := (Y (count - 1) - w * sum (fun b => n b * l b) count)
    / (E (count - 1) + w * sum (fun b => n b * h b) count)) in *.
  assert (Hrow : forall b, S b < count ->
    divisor b * level b = Y b + C b * (tau (S b) * level (S b) - J b)).
  { intros b Hb. assert (Hd := Hdivisor b Hb). rewrite !Hlevel, Hl, Hh by auto.
    unfold block_carry. now field. }
  assert (Hlink : forall b, S b < count ->
    flux b = C b * (tau b * level b - tau (S b) * level (S b) + J b)).
  { intros b Hb. assert (Hd := Hdivisor b Hb). rewrite Hflux by auto.
    assert (level b = (Y b + C b * (tau (S b) * level (S b) - J b)) / divisor b) as ->
      by (rewrite <- Hrow by auto; now field).
    assert (E b = divisor b - C b * tau b) as -> by (unfold divisor; ring).
    unfold block_carry. now field. }
  set (S' := sum (fun b => n b * level b) count).
  assert (Hend : Y (count - 1) - E (count - 1) * level (count - 1)%nat = w * S').
  { unfold S'. rewrite (sum_ext (fun b => n b * level b) (fun b => n b * l b + s * (n b * h b)))
      by (intros; rewrite Hlevel; ring).
    rewrite (sum_add (fun b => n b * l b)), (sum_scale (fun b => n b * h b)), Hlevel, Hl0, Hh0.
    unfold s. field. exact Hlast. }
  (* E l = Y - flux, and what Y and E carry is the flux before. *)
  assert (Hbefore : forall b, b < count ->
    beta * n b * level b = q b + flux (prev count b) - (Y b - E b * level b)).
  { intros [|a] Hb; cbn [Y block_excess prev]; [rewrite Hseam; ring|]. rewrite Hflux by lia.
    unfold block_carry, divisor. ring. }
  (* All balances hold but the last, which lacks w S'; so their sum is (beta + w) S' = 0. *)
  assert (Hall : forall b, b < count ->
    beta * n b * level b = (q b + flux (prev count b) - flux b) - delta b (count - 1) * (w * S')).
  { intros b Hb. rewrite Hbefore by auto. unfold delta. destruct (Nat.eqb_spec b (count - 1)) as [->|Hne].
    - rewrite Hend, Hseam. ring.
    - rewrite (Hlink b) by lia. assert (H := Hrow b ltac:(lia)). unfold divisor in H.
      assert (Y b = (C b * tau b + E b) * level b - C b * (tau (S b) * level (S b) - J b)) as ->
        by (rewrite H; ring). ring. }
  assert (HS : S' = 0).
  { apply (mul_zero (beta + w)); auto. transitivity (beta * S' + w * S'); [ring|].
    unfold S' at 1. rewrite <- (sum_scale (fun b => n b * level b)),
      (sum_ext _ _ _ (fun b Hb => eq_trans (Ring_theory.Rmul_assoc (F_R (laws F)) _ _ _) (Hall b Hb))),
      (sum_sub (fun b => q b + flux (prev count b) - flux b)),
      (sum_sub (fun b => q b + flux (prev count b))), (sum_add q), sum_prev, sum_delta, Hq by lia. ring. }
  split; [|split; [|exact HS]]; intros b Hb.
  - rewrite Hall, HS by auto. ring.
  - unfold followed. cbn [orb]. destruct (Nat.ltb_spec (S b) count) as [Hlt|Hle].
    + now rewrite next_inner, Hlink by auto.
    + now replace b with (count - 1)%nat by lia.
Qed.
End Elimination.

Section Cycle.
Context {F : field}.
Add Field field_of_F' : (laws F).

(** A unit flux across the seam makes the ends fall apart by the energy that it costs. *)
Definition dipole count (b : nat) : F := delta b O - delta b (count - 1).
Lemma energy (n tau C : nat -> F) (beta : F) count level flux : 0 < count -> (forall b, C b <> 0) ->
  solves (dipole count) (fun _ => 0) n tau C beta false count level flux ->
  tau O * level O - tau (count - 1)%nat * level (count - 1)%nat
  = sum (fun b => beta * n b * tau b * (level b * level b)) count
    + sum (fun b => flux b * flux b / C b) count.
Proof.
  intros Hcount HC (Hbalance & Hlink & _). set (x := fun b => tau b * level b).
  rewrite (sum_ext (fun b => flux b * flux b / C b)
    (fun b => (x b * flux b) - x (next count b) * flux (prev count (next count b)))).
  - rewrite (sum_sub (fun b => x b * flux b)), (sum_next (fun b => x b * flux (prev count b))).
    rewrite (sum_ext (fun b => beta * n b * tau b * (level b * level b))
      (fun b => (delta b O * x b - delta b (count - 1) * x b) + (x b * flux (prev count b) - x b * flux b))).
    + rewrite (sum_add (fun b => delta b O * x b - delta b (count - 1) * x b)),
        (sum_sub (fun b => delta b O * x b)), (sum_sub (fun b => x b * flux (prev count b))),
        !sum_delta by lia. unfold x. ring.
    + intros b Hb. transitivity (x b * (beta * n b * level b)); [unfold x; ring|].
      rewrite Hbalance by auto. unfold dipole. ring.
  - intros b Hb. rewrite prev_next by auto. assert (H := Hlink b Hb). destruct (followed _ _ _).
    + rewrite H at 2. unfold x. field. apply HC.
    + rewrite H. field. apply HC.
Qed.

Lemma solves_ext (q q' J J' n tau C : nat -> F) beta periodic count level flux :
  (forall b, q b = q' b) -> (forall b, J b = J' b) ->
  solves q J n tau C beta periodic count level flux -> solves q' J' n tau C beta periodic count level flux.
Proof.
  intros Hq HJ (H1 & H2 & H3). split; [|split; [|exact H3]]; intros b Hb; rewrite <- ?Hq, <- ?HJ; auto.
Qed.

(** With as much of it as the seam's own equation asks for, the path's solution is the cycle's. *)
Lemma seam_closed (q J n tau C : nat -> F) (beta seam : F) count level flux unit_level unit_flux :
  0 < count -> solves q J n tau C beta false count level flux ->
  solves (dipole count) (fun _ => 0) n tau C beta false count unit_level unit_flux ->
  let end_ := (count - 1)%nat in
  let fall x := tau end_ * x end_ - tau O * x O in
  seam * (1 - C end_ * fall unit_level) = C end_ * (fall level + J end_) ->
  solves q J n tau C beta true count (fun b => level b + seam * unit_level b)
    (fun b => flux b + seam * (unit_flux b + delta b end_)).
Proof.
  intros Hcount (Hb & Hl & Hs) (Hb' & Hl' & Hs') end_ fall H0.
  assert (Hends : forall b, b < count -> delta (prev count b) end_ = delta b O :> F).
  { intros b Hlt. unfold delta, end_. destruct b as [|b]; cbn [prev Nat.eqb]; [now rewrite Nat.eqb_refl|].
    now assert (Nat.eqb b (count - 1) = false) as -> by (apply Nat.eqb_neq; lia). }
  split; [|split].
  - intros b Hlt. transitivity (beta * n b * level b + seam * (beta * n b * unit_level b)); [ring|].
    rewrite Hb, Hb', Hends by auto. unfold dipole, end_. ring.
  - intros b Hlt. cbn [followed orb]. rewrite Hl, Hl' by auto. unfold followed, delta. cbn [orb].
    destruct (Nat.ltb_spec (S b) count) as [H|H].
    + assert (Nat.eqb b end_ = false) as -> by (apply Nat.eqb_neq; unfold end_; lia). ring.
    + assert (b = end_) as -> by (unfold end_; lia). rewrite Nat.eqb_refl, next_last by (unfold end_; lia).
      transitivity (seam * (1 - C end_ * fall unit_level) + seam * C end_ * fall unit_level); [ring|].
      rewrite H0. unfold fall. ring.
  - rewrite (sum_ext _ (fun b => n b * level b + seam * (n b * unit_level b)))
      by (intros; ring).
    rewrite (sum_add (fun b => n b * level b)), (sum_scale (fun b => n b * unit_level b)), Hs, Hs'. ring.
Qed.

(** What the code does. *)
Lemma solve_cycle_spec (q J n tau C : nat -> F) beta w count : 0 < count -> exists across rest,
  (forall b, across b = dipole count b) /\ (forall b, rest b = 0) /\
  let '(level, flux) := solve_path q J n tau C beta w count in
  let '(unit_level, unit_flux) := solve_path across rest n tau C beta w count in
  let end_ := (count - 1)%nat in
  let fall x := tau end_ * x end_ - tau O * x O in
  exists seam, (1 - C end_ * fall unit_level <> 0 ->
    seam * (1 - C end_ * fall unit_level) = C end_ * (fall level + J end_)) /\
  (forall b, fst (solve_cycle q J n tau C beta w count) b = level b + seam * unit_level b) /\
  forall b, snd (solve_cycle q J n tau C beta w count) b = flux b + seam * (unit_flux b + delta b end_).
Proof.
  intros Hcount. unfold solve_cycle. destruct (solve_path q J n tau C beta w count) as [level flux].
  match goal with |- context [solve_path ?v ?z _ _ _ _ _ _] =>
    exists v, z; set (across := v); set (rest := z) end.
  split; [|split].
  - intros b. unfold across, dipole, delta, set. destruct (Nat.eqb_spec b (count - 1)) as [->|H].
    + destruct (Nat.eqb (count - 1) 0); ring.
    + destruct (Nat.eqb b 0); ring.
  - intros b. unfold rest. ring.
  - destruct (solve_path across rest n tau C beta w count) as [unit_level unit_flux]. cbn [fst snd].
    match goal with |- context [?x / ?y] => exists (x / y) end.
    split; [intros Hd; field; known|]. split; intros b; [ring|]. unfold set, delta.
    destruct (Nat.eqb_spec b (count - 1)) as [->|H]; ring.
Qed.
End Cycle.

Section Ordered.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).
Variables (n tau C : nat -> F) (beta w : F) (count : nat).
Hypothesis Hn : forall b, positive (n b).
Hypothesis Htau : forall b, positive (tau b).
Hypothesis HC : forall b, positive (C b).
Hypothesis Hb : nonnegative beta.
Hypothesis Hw : positive w.
Hypothesis Hcount : 0 < count.

Theorem solve_path_ordered (q J : nat -> F) : sum q count = 0 ->
  let '(level, flux) := solve_path q J n tau C beta w count in
  solves q J n tau C beta false count level flux.
Proof.
  intros Hq.
  assert (HE : forall b, nonnegative (block_excess beta n tau C b)).
  { assert (Hfirst : forall b, nonnegative (beta * n b))
      by (intros; apply nonnegative_mul; auto using nonnegative_positive).
    induction b as [|b IH]; cbn [block_excess]; auto. apply nonnegative_add; auto.
    repeat apply nonnegative_mul; auto using nonnegative_positive.
    right. apply positive_div; auto. apply positive_add_nonnegative; auto. now apply positive_mul. }
  assert (Hd : forall b, positive (divisor n tau C beta b)).
  { intros b. apply positive_add_nonnegative; auto. now apply positive_mul. }
  apply solve_path_solves; auto.
  - intros b. field. now apply positive_nonzero.
  - intros b _. now apply positive_nonzero.
  - replace (beta + w) with (w + beta) by ring. now apply positive_nonzero, positive_add_nonnegative.
  - intros h Hh0 Hh. assert (Hpos : forall b, b < count -> positive (h b)).
    { intros b Hlt. remember (count - 1 - b)%nat as d eqn:Ed. revert b Hlt Ed.
      induction d as [|d IH]; intros b Hlt Ed.
      - replace b with (count - 1)%nat by lia. rewrite Hh0. apply positive_one.
      - rewrite Hh by lia. apply positive_mul; [|apply IH; lia]. apply positive_mul; auto.
        apply positive_div; auto. }
    match goal with |- ?x + ?y <> 0 => replace (x + y) with (y + x) by ring end.
    apply positive_nonzero, positive_add_nonnegative; auto. apply positive_mul; auto.
    apply sum_positive; auto. intros b Hlt. now apply positive_mul; auto.
Qed.

(** T11.seam *)
Lemma dipole_sum : sum (dipole count) count = 0 :> F.
Proof.
  unfold dipole. rewrite (sum_sub (fun b => delta b O)), !sum_delta_one by lia. ring.
Qed.
Theorem seam_energy (q J : nat -> F) : (forall b, q b = dipole count b) -> (forall b, J b = 0) ->
  let '(level, flux) := solve_path q J n tau C beta w count in
  solves (dipole count) (fun _ => 0) n tau C beta false count level flux /\
  tau O * level O - tau (count - 1)%nat * level (count - 1)%nat
  = sum (fun b => beta * n b * tau b * (level b * level b)) count
    + sum (fun b => flux b * flux b / C b) count /\
  nonnegative (tau O * level O - tau (count - 1)%nat * level (count - 1)%nat).
Proof.
  intros Hq HJ. assert (Hsum : sum q count = 0).
  { rewrite (sum_ext q (dipole count)) by auto. apply dipole_sum. }
  assert (H := solve_path_ordered q J Hsum). destruct (solve_path q J n tau C beta w count) as [level flux].
  apply (solves_ext _ (dipole count) _ (fun _ => 0)) in H; auto. split; [exact H|].
  assert (Henergy := energy n tau C beta count level flux Hcount (fun b => positive_nonzero _ (HC b)) H).
  split; [exact Henergy|]. rewrite Henergy. apply nonnegative_add; apply sum_nonnegative; intros b _.
  - apply nonnegative_mul; auto using nonnegative_square.
    repeat apply nonnegative_mul; auto using nonnegative_positive.
  - apply nonnegative_div; auto using nonnegative_square.
Qed.
Theorem solve_cycle_ordered (q J : nat -> F) : sum q count = 0 ->
  let '(level, flux) := solve_cycle q J n tau C beta w count in
  solves q J n tau C beta true count level flux.
Proof.
  intros Hq. assert (Hpath := solve_path_ordered q J Hq).
  destruct (solve_cycle_spec q J n tau C beta w count Hcount) as (across & rest & Ha & Hr & Hcode).
  destruct (solve_path q J n tau C beta w count) as [level flux].
  assert (Hunit := seam_energy across rest Ha Hr).
  destruct (solve_path across rest n tau C beta w count) as [unit_level unit_flux].
  destruct Hunit as (Hunit & _ & Hfall). destruct (solve_cycle q J n tau C beta w count) as [L' flux'].
  cbn [fst snd] in Hcode. destruct Hcode as (seam & Hseam & HL & Hflux).
  set (end_ := (count - 1)%nat) in *.
  assert (Hd : positive (1 - C end_ * (tau end_ * unit_level end_ - tau O * unit_level O))).
  { replace (1 - C end_ * (tau end_ * unit_level end_ - tau O * unit_level O))
      with (1 + C end_ * (tau O * unit_level O - tau end_ * unit_level end_)) by ring.
    apply positive_add_nonnegative; [apply positive_one|].
    apply nonnegative_mul; auto using nonnegative_positive. }
  destruct (seam_closed q J n tau C beta seam count level flux unit_level unit_flux Hcount Hpath Hunit
    (Hseam (positive_nonzero _ Hd))) as (H1 & H2 & H3).
  split; [|split].
  - intros b Hlt. rewrite HL, !Hflux. now apply H1.
  - intros b Hlt. rewrite Hflux, !HL. now apply H2.
  - rewrite <- H3. apply sum_ext. intros b _. now rewrite HL.
Qed.
End Ordered.
