(** T11: a block is a natural problem with fluxes at its ends, and the blocks together are the whole. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Loops Path Metric Symmetry Blocks Sharded.
Require Import Field.
Local Open Scope field_scope.

(** Rows and blocks. *)
Lemma offset_cover sizes count j : j < offset sizes count ->
  exists b i, b < count /\ i < sizes b /\ j = (offset sizes b + i)%nat.
Proof.
  induction count as [|m IH]; cbn [offset]; [lia|]. intros H.
  destruct (Nat.lt_ge_cases j (offset sizes m)) as [Hlt|Hge].
  - destruct (IH Hlt) as (b & i & Hb & Hi & E). exists b, i. auto.
  - exists m, (j - offset sizes m)%nat. lia.
Qed.
Lemma offset_le sizes a b : a <= b -> offset sizes a <= offset sizes b.
Proof. induction 1; cbn [offset]; lia. Qed.

Section Rows.
Context {F : field}.
Add Field field_of_F : (laws F).

Lemma sum_split (a : nat -> F) p q : sum a (p + q) = sum a p + sum (fun i => a (p + i)%nat) q.
Proof.
  induction q as [|q IH]; [rewrite Nat.add_0_r; cbn [sum]; ring|].
  rewrite Nat.add_succ_r. cbn [sum]. rewrite IH. ring.
Qed.
Lemma sum_blocks (a : nat -> F) sizes count : sum a (offset sizes count)
  = sum (fun b => sum (fun i => a (offset sizes b + i)%nat) (sizes b)) count.
Proof. induction count as [|m IH]; cbn [offset sum]; [reflexivity|]. now rewrite sum_split, IH. Qed.
Lemma number_offset sizes count :
  number (offset sizes count) = sum (fun b => number (sizes b)) count :> F.
Proof.
  rewrite <- (sum_const_one (offset sizes count)), sum_blocks. apply sum_ext. intros.
  apply sum_const_one.
Qed.

(** A row of either Laplacian: one difference for each neighbour. *)
Lemma laplacian_row periodic (x : nat -> F) n j : j < n -> laplacian periodic x n j
  = (if followed periodic n (prev n j) then x j - x (prev n j) else 0)
    + (if followed periodic n j then x j - x (next n j) else 0).
Proof.
  intros Hj. unfold laplacian, followed. destruct periodic; cbn [orb]; [reflexivity|].
  unfold path_laplacian, next. destruct j as [|j]; cbn [prev].
  - assert (Nat.ltb (S (n - 1)) n = false) as -> by (apply Nat.ltb_ge; lia).
    destruct (Nat.ltb 1 n); reflexivity.
  - apply Nat.ltb_lt in Hj as ->. destruct (Nat.ltb (S (S j)) n); reflexivity.
Qed.
Lemma laplacian_is_laplacian periodic : is_laplacian (F := F) (laplacian periodic).
Proof. destruct periodic; [apply cycle_is_laplacian | apply path_is_laplacian]. Qed.

(** T11.restriction *)
Theorem restriction periodic (beta c : F) (x : nat -> F) sizes count b i :
  (forall b, 0 < sizes b) -> b < count -> i < sizes b ->
  let flux b := if followed periodic count b
    then c * (x (offset sizes (S b) - 1)%nat - x (offset sizes (next count b))) else 0 in
  operator (laplacian periodic) beta c x (offset sizes count) (offset sizes b + i)
  = operator path_laplacian beta c (fun i => x (offset sizes b + i)%nat) (sizes b) i
    - delta i O * flux (prev count b) + delta i (sizes b - 1) * flux b.
Proof.
  intros Hsizes Hb Hi flux. assert (Hn := offset_le sizes (S b) count ltac:(lia)). cbn [offset] in Hn.
  set (n := offset sizes count) in *. set (m := sizes b) in *. set (j := (offset sizes b + i)%nat).
  assert (Hj : j < n) by (unfold j; lia). unfold operator.
  change (path_laplacian (fun i => x (offset sizes b + i)%nat) m i)
    with (laplacian false (fun i => x (offset sizes b + i)%nat) m i).
  rewrite !laplacian_row by auto. fold j.
  (* The row before the first of a block is the last of the block before. *)
  assert (Hlow : c * (if followed periodic n (prev n j) then x j - x (prev n j) else 0)
    = c * (if followed false m (prev m i) then x j - x (offset sizes b + prev m i)%nat else 0)
      - delta i O * flux (prev count b)).
  { unfold followed at 2, delta. cbn [orb]. destruct i as [|i]; cbn [prev Nat.eqb].
    - assert (Nat.ltb (S (m - 1)) m = false) as -> by (apply Nat.ltb_ge; lia).
      unfold flux, j. rewrite Nat.add_0_r, next_prev by auto.
      assert (prev n (offset sizes b) = offset sizes (S (prev count b)) - 1 /\
        followed periodic n (prev n (offset sizes b)) = followed periodic count (prev count b))%nat as [-> ->].
      { unfold followed. destruct b as [|a]; cbn [prev].
        - replace (S (count - 1)) with count by lia. fold n. cbn [offset prev]. split; [reflexivity|].
          f_equal. destruct (Nat.ltb_spec (S (n - 1)) n), (Nat.ltb_spec count count); auto; lia.
        - assert (Hpos := Hsizes a). destruct (offset sizes (S a)) as [|o] eqn:E; [cbn [offset] in E; lia|].
          cbn [prev]. split; [lia|]. f_equal.
          destruct (Nat.ltb_spec (S o) n), (Nat.ltb_spec (S a) count); auto; lia. }
      destruct (followed periodic count (prev count b)); ring.
    - apply Nat.ltb_lt in Hi as ->. unfold j. rewrite Nat.add_succ_r. cbn [prev]. unfold followed.
      assert (Nat.ltb (S (offset sizes b + i)) n = true) as -> by (apply Nat.ltb_lt; unfold j in Hj; lia).
      rewrite Bool.orb_true_r. ring. }
  assert (Hhigh : c * (if followed periodic n j then x j - x (next n j) else 0)
    = c * (if followed false m i then x j - x (offset sizes b + next m i)%nat else 0)
      + delta i (m - 1) * flux b).
  { unfold followed at 2, delta, next at 2. cbn [orb]. destruct (Nat.ltb_spec (S i) m) as [H|H].
    - assert (Nat.eqb i (m - 1) = false) as -> by (apply Nat.eqb_neq; lia).
      assert (Hlt : Nat.ltb (S j) n = true) by (apply Nat.ltb_lt; unfold j; lia).
      unfold followed, next. rewrite Hlt, Bool.orb_true_r. unfold j. rewrite Nat.add_succ_r. ring.
    - assert (Nat.eqb i (m - 1) = true) as -> by (apply Nat.eqb_eq; lia).
      assert (E : S j = offset sizes (S b)) by (unfold j; cbn [offset]; fold m; lia).
      unfold flux. replace (offset sizes (S b) - 1)%nat with j by lia.
      assert (next n j = offset sizes (next count b) /\
        followed periodic n j = followed periodic count b) as [-> ->]; [|destruct (followed periodic count b); ring].
      unfold next, followed. rewrite E. destruct (Nat.ltb_spec (S b) count) as [H'|H'].
      + assert (Hnext := offset_le sizes (S (S b)) count ltac:(lia)). cbn [offset] in *. fold n in Hnext.
        assert (Hpos := Hsizes (S b)).
        now assert (Nat.ltb (offset sizes b + sizes b) n = true) as -> by (apply Nat.ltb_lt; lia).
      + replace (S b) with count by lia. fold n. now rewrite Nat.ltb_irrefl. }
  transitivity (beta * x j + (c * (if followed periodic n (prev n j) then x j - x (prev n j) else 0)
    + c * (if followed periodic n j then x j - x (next n j) else 0))); [ring|].
  rewrite Hlow, Hhigh. unfold j. ring.
Qed.

Lemma finish_block_spec (f : nat -> F) l a r solve m : exists w,
  (forall i, i < m -> w i = f i - (a + r) / number m + delta i O * a + delta i (m - 1) * r) /\
  forall i, finish_block f (l, a, r) solve m i = solve w i + l.
Proof.
  unfold finish_block. match goal with |- context [solve ?v] => exists v end.
  split; [|intros; ring]. intros i Hi. unfold delta, set.
  destruct (Nat.eqb_spec i (m - 1)) as [E|E]; [rewrite <- E|];
    destruct (Nat.eqb_spec i 0) as [E0|E0]; try rewrite E0; ring.
Qed.
End Rows.

Section Block.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).
Variables (beta c : F) (m : nat).
Hypothesis Hb : nonnegative beta.
Hypothesis Hc : positive c.
Hypothesis Hm : 0 < m.
Local Notation A := (operator path_laplacian beta c).
Local Notation u := (response beta c m).

Lemma alone_spec (r : nat -> F) : sum r m = 0 ->
  let x := alone beta c m r in sum x m = 0 /\ forall i, i < m -> A x m i = r i.
Proof.
  intros Hr. unfold alone, solve_alone.
  destruct (is_zero c) eqn:E; [apply (is_zero_spec F) in E; now apply positive_nonzero in E|].
  now apply path_fluctuation_ordered.
Qed.
Lemma response_spec : sum u m = 0 /\ forall i, i < m -> A u m i = delta i O - 1 / number m.
Proof.
  assert (Hn := number_nonzero (F := F) m Hm).
  destruct (split_mean_spec (fun i => delta i O) m Hn) as (_ & Hr & Hsum).
  destruct (alone_spec _ Hsum) as [Hx Hrows]. split; [exact Hx|]. intros i Hi.
  unfold response. rewrite Hrows, Hr by auto. unfold mean. now rewrite sum_delta_one.
Qed.
Lemma symmetric_at (v x r : nat -> F) k : k < m -> sum x m = 0 ->
  (forall i, i < m -> A v m i = delta i k - 1 / number m) -> (forall i, i < m -> A x m i = r i) ->
  sum (fun i => v i * r i) m = x k.
Proof.
  intros Hk Hx Hv Hr.
  rewrite <- (sum_ext (fun i => v i * A x m i)) by (intros i Hi; now rewrite Hr).
  rewrite (operator_symmetric path_laplacian path_differences path_by_parts path_symmetric).
  rewrite (sum_ext _ (fun i => delta i k * x i - 1 / number m * x i))
    by (intros i Hi; rewrite Hv by auto; ring).
  rewrite (sum_sub (fun i => delta i k * x i)), sum_delta, (sum_scale x), Hx by auto. ring.
Qed.
Lemma response_reversed i : i < m -> A (reversed u m) m i = delta i (m - 1) - 1 / number m.
Proof.
  intros Hi. unfold operator. rewrite path_reversed by auto.
  assert (H := proj2 response_spec (m - 1 - i)%nat ltac:(lia)). unfold operator in H.
  unfold reversed at 1. rewrite H. unfold delta.
  destruct (Nat.eqb_spec i (m - 1)) as [E|E], (Nat.eqb_spec (m - 1 - i) 0) as [E'|E']; auto; lia.
Qed.

(** T11.response: resistances are not negative, transmissions are positive. *)
Lemma resistance : nonnegative (u O - u (m - 1)%nat).
Proof.
  set (d := fun i => 1 * u i + (- (1)) * reversed u m i).
  assert (Hrows : forall i, i < m -> A d m i = delta i O - delta i (m - 1)).
  { intros i Hi. unfold d. rewrite (operator_linear path_laplacian path_is_laplacian).
    rewrite response_reversed, (proj2 response_spec) by auto. ring. }
  apply nonnegative_half.
  assert (u O - u (m - 1)%nat + (u O - u (m - 1)%nat) = sum (fun i => d i * A d m i) m) as ->.
  { rewrite (sum_ext _ (fun i => delta i O * d i - delta i (m - 1) * d i))
      by (intros i Hi; rewrite Hrows by auto; ring).
    rewrite (sum_sub (fun i => delta i O * d i)), !sum_delta by lia. unfold d, reversed.
    replace (m - 1 - 0)%nat with (m - 1)%nat by lia.
    replace (m - 1 - (m - 1))%nat with O by lia. ring. }
  rewrite (sum_ext _ (fun i => beta * (d i * d i) + c * (d i * path_laplacian d m i)))
    by (intros; unfold operator; ring).
  rewrite (sum_add (fun i => beta * (d i * d i))), (sum_scale (fun i => d i * d i)),
    (sum_scale (fun i => d i * path_laplacian d m i)), (path_by_parts d d).
  apply nonnegative_add; apply nonnegative_mul; auto using sum_squares, nonnegative_positive.
  apply path_squares.
Qed.
Lemma transmission : positive (1 + beta * number m * u (m - 1)%nat).
Proof.
  assert (Hn := positive_number (F := F) (m - 1)). replace (S (m - 1)) with m in Hn by lia.
  set (v := fun i => 1 + beta * number m * u i).
  assert (Hrows : forall i, i < m -> A v m i = beta * number m * delta i O).
  { intros i Hi. rewrite (operator_ext path_laplacian path_is_laplacian beta c v
      (fun i => 1 + (beta * number m * u i + 0 * u i))) by (auto; intros; unfold v; ring).
    rewrite (operator_shift path_laplacian path_is_laplacian),
      (operator_linear path_laplacian path_is_laplacian), (proj2 response_spec) by auto.
    field. now apply positive_nonzero. }
  assert (Hsum : sum v m = number m).
  { unfold v. rewrite (sum_add (fun _ => 1)), sum_const_one, (sum_scale u), (proj1 response_spec). ring. }
  change (positive (v (m - 1)%nat)).
  (* Otherwise v is nowhere positive: from the last row on, flows and levels have one sign. *)
  enough (H : nonnegative (- v (m - 1)%nat) -> False).
  { destruct (positive_total F (v (m - 1)%nat)) as [E|[E|E]]; auto; exfalso; apply H.
    - left. rewrite E. ring.
    - now right. }
  intros Hlast.
  assert (H : forall d, d < m -> let i := (m - 1 - d)%nat in nonnegative (- v i) /\
    nonnegative (c * (if Nat.ltb (S i) m then v (S i) - v i else 0))).
  { induction d as [|d IH]; intros Hd i; unfold i.
    - replace (m - 1 - 0)%nat with (m - 1)%nat by lia. split; auto.
      assert (Nat.ltb (S (m - 1)) m = false) as -> by (apply Nat.ltb_ge; lia). left. ring.
    - destruct (IH ltac:(lia)) as [Hv Hflow]. cbn zeta in *.
      replace (m - 1 - d)%nat with (S (m - 1 - S d)) in * by lia.
      set (k := (m - 1 - S d)%nat) in *. assert (Hk : S k < m) by (unfold k; lia).
      assert (Hrow := Hrows (S k) Hk). unfold operator, path_laplacian, delta in Hrow.
      cbn [Nat.eqb] in Hrow. assert (Nat.ltb (S k) m = true) as -> by now apply Nat.ltb_lt.
      assert (Hstep : nonnegative (c * (v (S k) - v k))).
      { destruct (Nat.ltb (S (S k)) m).
        - assert (c * (v (S k) - v k) = beta * - v (S k) + c * (v (S (S k)) - v (S k))) as ->.
          { apply sub_zero. transitivity (beta * v (S k) + c * (v (S k) - v k + (v (S k) - v (S (S k)))));
              [ring | rewrite Hrow; ring]. }
          apply nonnegative_add; auto. now apply nonnegative_mul.
        - assert (c * (v (S k) - v k) = beta * - v (S k)) as ->.
          { apply sub_zero. transitivity (beta * v (S k) + c * (v (S k) - v k + 0));
              [ring | rewrite Hrow; ring]. }
          now apply nonnegative_mul. }
      split; [|exact Hstep].
      assert (- v k = - v (S k) + c * (v (S k) - v k) / c) as -> by (field; now apply positive_nonzero).
      apply nonnegative_add; auto. now apply nonnegative_div. }
  assert (Hneg : nonnegative (sum (fun i => - v i) m)).
  { apply sum_nonnegative. intros i Hi. destruct (H (m - 1 - i)%nat ltac:(lia)) as [Hv _].
    now replace (m - 1 - (m - 1 - i))%nat with i in Hv by lia. }
  assert (sum (fun i => - v i) m = - number m) as E.
  { rewrite (sum_ext _ (fun i => (- (1)) * v i)) by (intros; ring).
    rewrite (sum_scale v), Hsum. ring. }
  rewrite E in Hneg. assert (H0 := positive_add_nonnegative _ _ Hn Hneg).
  replace (number m + - number m : F) with (0 : F) in H0 by ring. now apply (positive_not_zero F) in H0.
Qed.

(** T11.ends: the code's rows solve the block's problem, and its ends are told by three numbers. *)
Theorem block_ends (f : nat -> F) (o l a r : F) : sum f m = 0 ->
  beta * number m * l = number m * o + a + r ->
  let x := finish_block f (l, a, r) (alone beta c m) m in
  let kappa := - u (m - 1)%nat in let rho := u O - u (m - 1)%nat in
  let tau := 1 + beta * number m * u (m - 1)%nat in
  let near := sum (fun i => u i * f i) m in let far := sum (fun i => reversed u m i * f i) m in
  sum x m = number m * l /\
  (forall i, i < m -> A x m i = f i + o + delta i O * a + delta i (m - 1) * r) /\
  x O = tau * l + number m * kappa * o + near + rho * a /\
  x (m - 1)%nat = tau * l + number m * kappa * o + far + rho * r.
Proof.
  intros Hf Hbalance. cbn zeta.
  assert (Hn := number_nonzero (F := F) m Hm).
  destruct (finish_block_spec f l a r (alone beta c m) m) as (w & Hw & Hx).
  assert (Hwsum : sum w m = 0).
  { rewrite (sum_ext w _ m Hw).
    rewrite (sum_add (fun i => f i - (a + r) / number m + delta i O * a)),
      (sum_add (fun i => f i - (a + r) / number m)), sum_sub, sum_const, Hf,
      (sum_delta (fun _ => a)), (sum_delta (fun _ => r)) by lia. field. auto. }
  destruct (alone_spec w Hwsum) as [Hy Hrows]. set (y := alone beta c m w) in *.
  set (x := finish_block f (l, a, r) (alone beta c m) m) in *.
  assert (Hmoment : forall v, sum v m = 0 -> sum (fun i => v i * w i) m
    = sum (fun i => v i * f i) m + v O * a + v (m - 1)%nat * r).
  { intros v Hv. rewrite (sum_ext _ (fun i => ((v i * f i - (a + r) / number m * v i)
      + delta i O * (v i * a)) + delta i (m - 1) * (v i * r)))
      by (intros i Hi; rewrite Hw by auto; ring).
    rewrite (sum_add (fun i => (v i * f i - (a + r) / number m * v i) + delta i O * (v i * a))),
      (sum_add (fun i => v i * f i - (a + r) / number m * v i)),
      (sum_sub (fun i => v i * f i)), (sum_scale v), Hv, !sum_delta by lia. ring. }
  destruct response_spec as [Husum Hu].
  assert (H0 : y O = sum (fun i => u i * w i) m)
    by (symmetry; apply symmetric_at; auto).
  assert (H1 : y (m - 1)%nat = sum (fun i => reversed u m i * w i) m)
    by (symmetry; apply symmetric_at; auto using response_reversed; lia).
  rewrite Hmoment in H0, H1 by (rewrite ?sum_reversed; exact Husum).
  unfold reversed in H1 at 2 3. replace (m - 1 - 0)%nat with (m - 1)%nat in H1 by lia.
  replace (m - 1 - (m - 1))%nat with O in H1 by lia.
  assert (Hxl : forall i, x i = l + y i) by (intros; unfold x; rewrite Hx; fold y; ring).
  split; [|split; [|split]].
  - rewrite (sum_ext x _ m (fun i _ => Hxl i)), (sum_add (fun _ => l)), sum_const, Hy. ring.
  - intros i Hi. rewrite (operator_ext path_laplacian path_is_laplacian beta c x _ m i
      (fun j _ => Hxl j) Hi), (operator_shift path_laplacian path_is_laplacian), Hrows, Hw by auto.
    assert (beta * l = o + (a + r) / number m) as ->; [|ring].
    transitivity (beta * number m * l / number m); [field; auto | rewrite Hbalance; field; auto].
  - rewrite Hxl, H0. set (near := sum (fun i => u i * f i) m). transitivity (l + near
      + (u O - u (m - 1)%nat) * a + u (m - 1)%nat * (beta * number m * l - number m * o));
      [rewrite Hbalance; ring | ring].
  - rewrite Hxl, H1. set (far := sum (fun i => reversed u m i * f i) m). transitivity (l + far
      + (u O - u (m - 1)%nat) * r + u (m - 1)%nat * (beta * number m * l - number m * o));
      [rewrite Hbalance; ring | ring].
Qed.
End Block.
