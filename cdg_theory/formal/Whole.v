(** T11: for every split of the rows, on path and cycle, the blocks' results are the whole's. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Loops Path Blocks Sharded Flux.
Require Import Field.
Local Open Scope field_scope.

Section Offsets.
Context {F : field}.
Add Field field_of_F : (laws F).
Lemma split_offsets_spec (means weights : nat -> F) count : sum weights count = 1 ->
  let m := sum (fun b => weights b * means b) count in
  let '(mean, o) := split_offsets means weights count in
  mean = m /\ (forall b, o b = means b - m) /\ sum (fun b => weights b * o b) count = 0.
Proof.
  intros Hw m. set (rest := sum (fun b => weights b * (means b - m)) count). assert (H : rest = 0).
  { unfold rest. rewrite (sum_ext _ (fun b => weights b * means b - m * weights b)) by (intros; ring).
    rewrite (sum_sub (fun b => weights b * means b)), (sum_scale weights), Hw. fold m. ring. }
  unfold split_offsets. cbn zeta. match goal with |- ?a + ?b = _ /\ _ =>
    assert (Ha : a = m) by (apply sum_ext; intros; ring);
    assert (Hb : b = 0) by (rewrite Ha, <- H; apply sum_ext; intros; ring);
    rewrite Hb, Ha
  end.
  split; [ring|]. split; [intros; ring|].
  transitivity rest; [apply sum_ext; intros; ring | exact H].
Qed.
End Offsets.

Section Whole.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).
Variables (periodic : bool) (alpha beta c : F) (sizes : nat -> nat) (count : nat) (g : nat -> F).
Hypothesis Ha : positive alpha.
Hypothesis Hb : nonnegative beta.
Hypothesis Hsizes : forall b, 0 < sizes b.
Hypothesis Hcount : 0 < count.
Local Notation n := (offset sizes count).
Local Notation f := (fluctuation sizes g).
Local Notation o := (snd (offsets sizes count g)).
Local Notation rows := (rows (F := F) sizes).
Local Notation first := (first beta c sizes).
Local Notation last := (last beta c sizes).
Local Notation near := (near beta c sizes g).
Local Notation far := (far beta c sizes g).
Local Notation L := (laplacian periodic).

Lemma rows_positive b : positive (rows b).
Proof. unfold Sharded.rows. specialize (Hsizes b). destruct (sizes b); [lia | apply positive_number]. Qed.
Lemma total_positive : positive (number n : F).
Proof. rewrite number_offset. apply sum_positive; auto. intros. apply rows_positive. Qed.
Lemma block_spec b : block_mean sizes g b = mean (own sizes g b) (sizes b) /\
  (forall i, f b i = own sizes g b i - block_mean sizes g b) /\ sum (f b) (sizes b) = 0.
Proof.
  destruct (split_mean_spec (own sizes g b) (sizes b) (number_nonzero _ (Hsizes b))) as (H1 & H2 & H3).
  split; [exact H1|]. split; [|exact H3]. intros i. unfold fluctuation, block_mean. rewrite H1. apply H2.
Qed.
Lemma means : fst (offsets sizes count g) = mean g n /\
  (forall b, o b = block_mean sizes g b - mean g n) /\ sum (fun b => rows b * o b) count = 0.
Proof.
  assert (Hn := positive_nonzero _ total_positive).
  assert (Hw : sum (fun b => rows b / total sizes count) count = 1).
  { rewrite (sum_ext _ (fun b => 1 / total sizes count * rows b)) by (intros; unfold total; now field).
    rewrite (sum_scale (fun b => rows b)). unfold total. rewrite number_offset at 1.
    unfold Sharded.rows. rewrite <- number_offset. now field. }
  assert (H := split_offsets_spec (block_mean sizes g) _ _ Hw). cbn zeta in H. unfold offsets.
  destruct (split_offsets _ _ _) as [m o']. cbn [fst snd]. destruct H as (-> & Ho & Hsum).
  assert (E : sum (fun b => rows b / total sizes count * block_mean sizes g b) count = mean g n).
  { unfold mean. rewrite (sum_blocks g), (sum_ext _ (fun b => 1 / number n
      * sum (fun i => g (offset sizes b + i)%nat) (sizes b))).
    - rewrite (sum_scale (fun b => sum (fun i => g (offset sizes b + i)%nat) (sizes b))). now field.
    - intros b _. destruct (block_spec b) as [-> _]. unfold Sharded.rows, total, mean, own. field.
      auto using number_nonzero. }
  rewrite E in *. split; [reflexivity|]. split; [exact Ho|].
  transitivity (number n * sum (fun b => rows b / total sizes count * o' b) count); [|rewrite Hsum; ring].
  rewrite <- sum_scale. apply sum_ext. intros. unfold total. now field.
Qed.

(** A mean, and beside it what solves the system of mean zero, solve the whole. *)
Lemma whole_of_fluctuation (k x : nat -> F) : (forall j, j < n -> k j = mean g n / alpha + x j) ->
  sum x n = 0 -> (forall j, j < n -> operator L beta c x n j = g j - mean g n) ->
  forall i, i < n -> gram L alpha beta c k n i = g i.
Proof.
  intros Hk Hsum Hop i Hi.
  rewrite (gram_ext L (laplacian_is_laplacian periodic) alpha beta c k (fun j => mean g n / alpha + x j))
    by auto.
  rewrite gram_split, Hop by auto using laplacian_is_laplacian, positive_nonzero, total_positive.
  field. now apply positive_nonzero.
Qed.

(** Without a derivative every block divides by beta. *)
Lemma one_line_blocks (k : nat -> F) : positive beta -> c = 0 ->
  (forall b i, b < count -> i < sizes b ->
    k (offset sizes b + i)%nat = solved periodic alpha beta c sizes count g b i) ->
  forall i, i < n -> gram L alpha beta c k n i = g i.
Proof.
  intros Hb' Hc Hk. assert (E : is_zero c = true) by now apply (is_zero_spec F).
  apply (whole_of_fluctuation k (fun j => (g j - mean g n) / beta)).
  - intros j Hj. destruct (offset_cover _ _ _ Hj) as (b & i & Hlt & Hi & ->). rewrite Hk by auto.
    unfold solved, told. rewrite E. destruct means as (-> & Ho & _).
    destruct (finish_block_spec (f b) (o b / beta) 0 0 (alone beta c (sizes b)) (sizes b)) as (v & Hv & ->).
    unfold alone, solve_alone. rewrite E, Hv, Ho by auto. destruct (block_spec b) as (_ & -> & _).
    unfold own. field. repeat split; auto using positive_nonzero, number_nonzero.
  - assert (Hbeta := positive_nonzero _ Hb').
    rewrite (sum_ext _ (fun j => 1 / beta * (g j - mean g n))) by (intros; now field).
    rewrite (sum_scale (fun j => g j - mean g n)), fluctuation_sum by auto using positive_nonzero, total_positive.
    ring.
  - intros j _. unfold operator. rewrite Hc. field. now apply positive_nonzero.
Qed.

Section Derivative.
Hypothesis Hc : positive c.
Local Notation kappa b := (- last b).
Local Notation rho b := (first b - last b).
Local Notation tau b := (1 + beta * rows b * last b).
Local Notation inverse_conductance b := (1 + c * rho b + c * rho (next count b)).

Lemma inner_positive b : positive (inverse_conductance b).
Proof.
  repeat apply positive_add_nonnegative; [apply positive_one | |];
    (apply nonnegative_mul; [now right | now apply resistance]).
Qed.
(** What blocks are told solves the small system. *)
Lemma told_spec : exists level flux,
  (forall b, b < count -> beta * rows b * level b = rows b * o b + flux (prev count b) - flux b) /\
  (forall b, b < count -> if followed periodic count b
    then let a := next count b in inverse_conductance b * flux b
      = c * (tau b * level b - tau a * level a
        + (rows b * kappa b * o b + far b - (rows a * kappa a * o a + near a)))
    else flux b = 0) /\
  sum (fun b => rows b * level b) count = 0 /\
  forall b i, solved periodic alpha beta c sizes count g b i = mean g n / alpha
    + finish_block (f b) (level b, flux (prev count b), - flux b) (alone beta c (sizes b)) (sizes b) i.
Proof.
  destruct means as (Hmean & _ & Hbalance). unfold solved, told. rewrite Hmean.
  destruct (is_zero c) eqn:E; [apply (is_zero_spec F) in E; now apply positive_nonzero in E|].
  unfold solve_network.
  match goal with |- context [if periodic then solve_cycle ?q' ?J' _ ?t' ?C' _ ?w' _ else _] =>
    set (q := q'); set (J := J'); set (t := t'); set (C := C'); set (w := w') end.
  assert (Ht : forall b, t b = tau b) by (intros; unfold t; ring).
  assert (HC : forall b, C b = c / inverse_conductance b).
  { intros b. unfold C. assert (H := positive_nonzero _ (inner_positive b)). field. repeat split; known. }
  assert (Hsolves : let '(level, flux) := if periodic then solve_cycle q J rows t C beta w count
    else solve_path q J rows t C beta w count in solves q J rows t C beta periodic count level flux).
  { assert (Hq : sum q count = 0)
      by (rewrite <- Hbalance; apply sum_ext; intros; unfold q; ring).
    assert (Ht' : forall b, positive (t b)) by (intros; rewrite Ht; now apply transmission).
    assert (HC' : forall b, positive (C b))
      by (intros; rewrite HC; auto using positive_div, inner_positive).
    assert (Hw : positive w) by (unfold w; auto using positive_div, total_positive).
    destruct periodic; [apply solve_cycle_ordered | apply solve_path_ordered]; auto using rows_positive. }
  destruct (if periodic then solve_cycle _ _ _ _ _ _ _ _ else _) as [level flux].
  destruct Hsolves as (Hrows & Hlinks & Hsum). exists level, flux. split; [|split; [|split; [exact Hsum|]]].
  - intros b Hlt. rewrite Hrows by auto. unfold q. ring.
  - intros b Hlt. assert (H := Hlinks b Hlt). destruct (followed periodic count b); [|exact H].
    cbn zeta. rewrite H, HC, !Ht. unfold J. assert (Hd := positive_nonzero _ (inner_positive b)).
    field. repeat split; known.
  - intros b i. ring.
Qed.

Theorem blocks_whole (k : nat -> F) :
  (forall b i, b < count -> i < sizes b ->
    k (offset sizes b + i)%nat = solved periodic alpha beta c sizes count g b i) ->
  forall i, i < n -> gram L alpha beta c k n i = g i.
Proof.
  intros Hk. destruct means as (_ & Hoff & _).
  destruct told_spec as (level & flux & Hrows & Hlinks & Hsum & Hsolved).
  set (x := fun j => k j - mean g n / alpha).
  set (own_x := fun b => finish_block (f b) (level b, flux (prev count b), - flux b)
    (alone beta c (sizes b)) (sizes b)).
  assert (Hx : forall b i, b < count -> i < sizes b -> x (offset sizes b + i)%nat = own_x b i)
    by (intros; unfold x, own_x; rewrite Hk, Hsolved by auto; ring).
  assert (Hends : forall b, b < count -> _) by (intros b Hlt;
    refine (block_ends beta c (sizes b) Hb Hc (Hsizes b) (f b) (o b) (level b)
      (flux (prev count b)) (- flux b) (proj2 (proj2 (block_spec b))) _);
    fold (rows b); rewrite Hrows by auto; ring).
  cbn zeta in Hends.
  (* The interfaces: what the small system says of the fluxes is what they are. *)
  assert (Hflux : forall b, b < count -> (if followed periodic count b
    then c * (x (offset sizes (S b) - 1)%nat - x (offset sizes (next count b))) else 0) = flux b).
  { intros b Hlt. assert (Hlink := Hlinks b Hlt).
    destruct (followed periodic count b); [|now rewrite Hlink].
    assert (Hnext := next_less count b Hlt). assert (Hprev := prev_next count b Hlt).
    set (a := next count b) in *. cbn zeta in Hlink.
    destruct (Hends b Hlt) as (_ & _ & _ & Hlast). destruct (Hends a Hnext) as (_ & _ & Hfirst & _).
    assert (H1 : x (offset sizes (S b) - 1)%nat = own_x b (sizes b - 1)%nat).
    { rewrite <- Hx by (specialize (Hsizes b); lia). f_equal. cbn [offset]. specialize (Hsizes b). lia. }
    assert (H2 : x (offset sizes a) = own_x a O).
    { rewrite <- Hx by auto. now rewrite Nat.add_0_r. }
    rewrite H1, H2. unfold own_x. rewrite Hlast, Hfirst, Hprev.
    fold (first b) (first a) (last b) (last a) (rows b) (rows a) (near a) (far b). apply sub_zero.
    transitivity (c * (tau b * level b - tau a * level a
      + (rows b * kappa b * o b + far b - (rows a * kappa a * o a + near a)))
      - (1 + c * rho b + c * rho a) * flux b); [ring | rewrite Hlink; ring]. }
  apply (whole_of_fluctuation k x).
  - intros j _. unfold x. ring.
  - rewrite sum_blocks, (sum_ext _ (fun b => rows b * level b)); [exact Hsum|].
    intros b Hlt. destruct (Hends b Hlt) as (Hs & _).
    rewrite (sum_ext _ (own_x b)) by (intros; now apply Hx). exact Hs.
  - intros j Hj. destruct (offset_cover _ _ _ Hj) as (b & i & Hlt & Hi & ->).
    rewrite restriction, !Hflux by (auto; destruct b; cbn [prev]; lia).
    rewrite (operator_ext path_laplacian path_is_laplacian beta c
      (fun i => x (offset sizes b + i)%nat) (own_x b)) by (auto; intros; now apply Hx).
    destruct (Hends b Hlt) as (_ & Hr & _). unfold own_x at 1. rewrite Hr by auto.
    destruct (block_spec b) as (_ & Hf & _). rewrite Hf, Hoff. unfold own. ring.
Qed.
End Derivative.
End Whole.

(** Blocks without rows. *)
Lemma before_le sizes a b : a <= b -> before sizes a <= before sizes b.
Proof. induction 1; cbn [before]; lia. Qed.
Lemma kept_positive sizes count b : 0 < kept sizes count b.
Proof.
  induction count as [|a IH]; cbn [kept]; [lia|].
  destruct (Nat.ltb_spec 0 (sizes a)), (Nat.eqb (before sizes a) b); auto.
Qed.
Lemma kept_before sizes count b : b < count -> 0 < sizes b -> kept sizes count (before sizes b) = sizes b.
Proof.
  intros Hb Hpos. induction count as [|a IH]; [lia|]. cbn [kept].
  destruct (Nat.eq_dec b a) as [->|Hne].
  - rewrite Nat.eqb_refl. now apply Nat.ltb_lt in Hpos as ->.
  - assert (H := before_le sizes (S b) a ltac:(lia)). cbn [before] in H.
    apply Nat.ltb_lt in Hpos. rewrite Hpos in H.
    assert (Nat.eqb (before sizes a) (before sizes b) = false) as -> by (apply Nat.eqb_neq; lia).
    rewrite Bool.andb_false_r. apply IH. lia.
Qed.
Lemma offset_kept sizes count b : b <= count ->
  offset (kept sizes count) (before sizes b) = offset sizes b.
Proof.
  induction b as [|a IH]; intros Hle; [reflexivity|]. cbn [before offset].
  destruct (Nat.ltb_spec 0 (sizes a)) as [H|H].
  - rewrite Nat.add_1_r. cbn [offset]. rewrite IH, kept_before by lia. reflexivity.
  - rewrite Nat.add_0_r, IH by lia. lia.
Qed.
Lemma before_cover sizes count j : j < before sizes count ->
  exists b, b < count /\ 0 < sizes b /\ j = before sizes b.
Proof.
  induction count as [|a IH]; cbn [before]; [lia|]. intros H.
  destruct (Nat.lt_ge_cases j (before sizes a)) as [Hlt|Hge].
  - destruct (IH Hlt) as (b & Hb & E). exists b. split; [lia | exact E].
  - exists a. destruct (Nat.ltb_spec 0 (sizes a)); lia.
Qed.

Section Empty.
Context {F : ordered}.
Add Field field_of_ordered' : (laws F).
Theorem sharded_whole periodic (alpha beta c : F) sizes count (g k : nat -> F) :
  positive alpha -> nonnegative beta -> nonnegative c -> positive (beta + c) ->
  (forall b i, b < count -> i < sizes b ->
    k (offset sizes b + i)%nat = sharded periodic alpha beta c sizes count g b i) ->
  let n := offset sizes count in
  forall i, i < n -> gram (laplacian periodic) alpha beta c k n i = g i.
Proof.
  intros Ha Hb Hc Hbc Hk n i Hi. unfold n in *. clear n.
  assert (Hcount : 0 < before sizes count).
  { destruct (before sizes count) as [|m] eqn:E; [|lia]. exfalso.
    rewrite <- (offset_kept sizes count count), E in Hi by lia. cbn [offset] in Hi. lia. }
  assert (Hk' : forall b i, b < before sizes count -> i < kept sizes count b ->
    k (offset (kept sizes count) b + i)%nat
    = solved periodic alpha beta c (kept sizes count) (before sizes count) g b i).
  { intros j l Hj Hl. destruct (before_cover _ _ _ Hj) as (b & Hlt & Hpos & ->).
    rewrite kept_before in Hl by auto. rewrite offset_kept by lia. now apply Hk. }
  rewrite <- (offset_kept sizes count count) in * by lia.
  destruct Hc as [->|Hc].
  - replace (beta + 0) with beta in Hbc by ring.
    now apply (one_line_blocks periodic alpha beta 0 (kept sizes count) (before sizes count) g Ha
      (kept_positive sizes count) Hcount k).
  - now apply (blocks_whole periodic alpha beta c (kept sizes count) (before sizes count) g Ha Hb
      (kept_positive sizes count) Hcount Hc k).
Qed.
End Empty.
