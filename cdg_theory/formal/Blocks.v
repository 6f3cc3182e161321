(** T11.path: the elimination of blocks.py solves the small system of a path of blocks. *)
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
  (forall b, level b = level0 b + h b * s) /\
  forall b, S b < count -> snd (solve_path q J n tau C beta w count) b
    = block_carry b * (tau b * Y b + E b * J b) - block_carry b * E b * tau (S b) * level (S b).
Proof.
  intros Hn. unfold solve_path.
  match goal with |- context [for_up _ ?step ?first] => set (body := step); set (start := first) end.
  assert (H : forall m, let '(Y', E', p, y, e) := for_up m body start in
    (forall b, b <= m -> Y' b = Y b) /\ (forall b, m < b -> Y' b = q b) /\
    (forall b, b <= m -> E' b = E b) /\ (forall b, m < b -> E' b = beta * n b) /\
    forall b, b < m -> p b = block_carry b /\ y b = block_carry b * (tau b * Y b + E b * J b) /\
      e b = block_carry b * E b * tau (S b)).
  { induction m as [|m IH].
    - cbn [for_up]. unfold start. split; [|split; [|split; [|split]]]; intros b Hlt; try lia.
      + replace b with O by lia. reflexivity.
      + reflexivity.
      + replace b with O by lia. cbn [block_excess]. ring.
      + ring.
    - cbn [for_up]. destruct (for_up m body start) as [[[[Y' E'] p] y] e].
      destruct IH as (HY & HYq & HE & HEq & Hb). unfold body.
      repeat (rewrite set_same in * || cbn beta in *).
      assert (HYm := HY m ltac:(lia)). assert (HEm := HE m ltac:(lia)).
      assert (Hp : forall d, d = divisor m -> C m / d = block_carry m) by (intros d ->; reflexivity).
      split; [|split; [|split; [|split]]].
      + intros b Hle. destruct (Nat.eq_dec b (S m)) as [->|Hne].
        * rewrite set_same, HYq by lia. cbn [Y]. rewrite ?set_same, HYm, HEm. carries Hp m. ring.
        * rewrite set_other by lia. apply HY. lia.
      + intros b Hlt. rewrite set_other by lia. apply HYq. lia.
      + intros b Hle. destruct (Nat.eq_dec b (S m)) as [->|Hne].
        * rewrite set_same, HEq by lia. cbn [block_excess]. rewrite ?set_same, HEm. carries Hp m. ring.
        * rewrite set_other by lia. apply HE. lia.
      + intros b Hlt. rewrite set_other by lia. apply HEq. lia.
      + intros b Hlt. destruct (Nat.eq_dec b m) as [->|Hne].
        * rewrite ?set_same, ?HYm, HEm. carries Hp m. repeat split; ring.
        * rewrite !set_other by lia. apply Hb. lia. }
  specialize (H (count - 1)%nat). subst start. destruct (for_up _ body _) as [[[[Y' E'] p] y] e].
  destruct H as (HY & _ & HE & _ & Hb).
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
  split; [exact Hl0|]. split; [rewrite Hh0; first [apply Hn | reflexivity]|]. split; [|split; [|split]].
  - intros b Hlt. destruct (Hlow b ltac:(lia)) as [-> _]. now rewrite HY, Hp, Hd by lia.
  - intros b Hlt. destruct (Hlow b ltac:(lia)) as [_ ->]. now rewrite Hp by lia.
  - intros b. rewrite HY, HE by lia. ring.
  - intros b Hlt. destruct (Hb b ltac:(lia)) as (_ & -> & ->). rewrite HY, HE by lia. ring.
Qed.

(** The small system. *)
Definition solves count (level flux : nat -> F) : Prop :=
  (forall b, b < count -> beta * n b * level b = q b + inflow flux b - outflow flux count b) /\
  (forall b, S b < count -> flux b = C b * (tau b * level b - tau (S b) * level (S b) + J b)) /\
  sum (fun b => n b * level b) count = 0.

Lemma balances_sum (flux : nat -> F) count m : m < count ->
  sum (fun b => inflow flux b - outflow flux count b) m = - inflow flux m.
Proof.
  induction m as [|m IH]; intros Hm; cbn [sum inflow]; [ring|]. rewrite IH by lia.
  unfold outflow. apply Nat.ltb_lt in Hm as ->. ring.
Qed.

Theorem solve_path_solves count : 0 < count -> (forall b, n b / n b = 1) ->
  (forall b, S b < count -> divisor b <> 0) -> beta + w <> 0 ->
  (forall h, h (count - 1)%nat = 1 ->
    (forall b, S b < count -> h b = block_carry b * tau (S b) * h (S b)) ->
    E (count - 1) + w * sum (fun b => n b * h b) count <> 0) ->
  sum q count = 0 ->
  let '(level, flux) := solve_path q J n tau C beta w count in solves count level flux.
Proof.
  intros Hcount Hn Hdivisor Hw Hlast Hq.
  destruct (solve_path_spec count Hn) as (l & h & Hl0 & Hh0 & Hl & Hh & Hlevel & Hflux).
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
  assert (Hend : E (count - 1) * level (count - 1)%nat + w * sum (fun b => n b * level b) count
    = Y (count - 1)).
  { rewrite (sum_ext (fun b => n b * level b) (fun b => n b * l b + s * (n b * h b)))
      by (intros; rewrite Hlevel; ring).
    rewrite (sum_add (fun b => n b * l b)), (sum_scale (fun b => n b * h b)), Hlevel, Hl0, Hh0.
    unfold s. field. exact Hlast. }
  (* E l = Y - flux, and what Y and E carry is the flux before. *)
  assert (Hbefore : forall b, b < count ->
    Y b - E b * level b = q b + inflow flux b - beta * n b * level b).
  { intros [|a] Hb; cbn [Y block_excess inflow]; [ring|]. rewrite Hflux by lia.
    unfold block_carry, divisor. ring. }
  assert (Hinner : forall b, S b < count ->
    beta * n b * level b = q b + inflow flux b - outflow flux count b).
  { intros b Hb. unfold outflow. assert (Hlt := Hb). apply Nat.ltb_lt in Hlt as ->.
    rewrite Hlink by auto. assert (H1 := Hbefore b ltac:(lia)). assert (H2 := Hrow b Hb).
    unfold divisor in H2.
    assert (beta * n b * level b = q b + inflow flux b - (Y b - E b * level b)) as -> by (rewrite H1; ring).
    assert (Y b = (C b * tau b + E b) * level b - C b * (tau (S b) * level (S b) - J b)) as ->
      by (rewrite H2; ring).
    ring. }
  destruct count as [|m]; [lia|]. replace (S m - 1)%nat with m in * by lia.
  set (S' := sum (fun b => n b * level b) (S m)) in *.
  assert (Hout : outflow flux (S m) m = 0) by (unfold outflow; now rewrite Nat.ltb_irrefl).
  assert (Hsum : beta * S' + w * S' = 0).
  { assert (Hm := Hbefore m ltac:(lia)).
    assert (beta * S' = q m + sum q m - inflow flux m + beta * n m * level m - q m) as ->.
    { unfold S'. cbn [sum]. transitivity (sum (fun b => beta * n b * level b) m + beta * n m * level m).
      - rewrite (sum_ext (fun b => beta * n b * level b) (fun b => beta * (n b * level b)))
          by (intros; ring). rewrite (sum_scale (fun b => n b * level b)). ring.
      - rewrite (sum_ext _ (fun b => q b + (inflow flux b - outflow flux (S m) b)))
          by (intros; rewrite Hinner by lia; ring).
        rewrite (sum_add q), balances_sum by lia. ring. }
    cbn [sum] in Hq. transitivity (w * S' + E m * level m - Y m
      + (Y m - E m * level m) - inflow flux m + beta * n m * level m - q m + (sum q m + q m)); [ring|].
    rewrite Hm, Hq. assert (w * S' + E m * level m - Y m = 0) as ->; [|ring].
    transitivity ((E m * level m + w * S') - Y m); [ring | rewrite Hend; ring]. }
  assert (HS : S' = 0).
  { apply (mul_zero (beta + w)); auto. rewrite <- Hsum. ring. }
  split; [|split; [exact Hlink | exact HS]]. intros b Hb.
  destruct (Nat.eq_dec b m) as [->|Hne]; [|apply Hinner; lia].
  rewrite Hout. assert (Hm := Hbefore m ltac:(lia)).
  assert (Hz : Y m - E m * level m = 0) by (rewrite <- Hend, HS; ring).
  rewrite Hz in Hm. transitivity (q m + inflow flux m - (q m + inflow flux m - beta * n m * level m));
    [ring | rewrite <- Hm; ring].
Qed.
End Elimination.

Section Ordered.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).

Theorem solve_path_ordered (q J n tau C : nat -> F) (beta w : F) count :
  (forall b, positive (n b)) -> (forall b, positive (tau b)) -> (forall b, positive (C b)) ->
  nonnegative beta -> positive w -> 0 < count -> sum q count = 0 ->
  let '(level, flux) := solve_path q J n tau C beta w count in
  solves q J n tau C beta count level flux.
Proof.
  intros Hn Htau HC Hb Hw Hcount Hq.
  assert (HE : forall b, nonnegative (block_excess beta n tau C b)).
  { assert (Hfirst : forall b, nonnegative (beta * n b)) by (intros; apply nonnegative_mul; auto using nonnegative_positive).
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
End Ordered.
