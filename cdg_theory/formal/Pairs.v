(** Elements of the ring of curvature.py, two numbers each; a pair of a level x and a moment m is the
    element (m, x). The elimination in this ring, and what it solves. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Metric.
Require Import Field.
Local Open Scope field_scope.

Section Ring.
Context {F : field}.
Add Field field_of_F : (laws F).
Variables c omega : F.
Local Notation array := (nat -> F).
Local Notation K := (F * F)%type.
Local Notation own_ring := {| ring_c := c; ring_omega := omega |}.

Definition plus (y z : K) : K := (fst y + fst z, snd y + snd z).
Definition minus (y z : K) : K := (fst y - fst z, snd y - snd z).
Definition negative (y : K) : K := (- fst y, - snd y).
Definition times (y z : K) : K :=
  (fst y * fst z - omega * snd y * snd z, (fst y + c * snd y) * snd z + snd y * fst z).
Definition unit : K := (1, 0).
Definition nothing : K := (0, 0).
Definition swap (y : K) : K := (snd y, fst y).
Definition determinant (y : K) : F := fst y * (fst y + c * snd y) + omega * snd y * snd y.

(** The matrix T for a rigidity d; omega is beta d there. *)
Definition turn (d : F) : K := (c / d, - (1 / d)).

Lemma elements_ring : ring_theory nothing unit plus times minus negative (@eq K).
Proof.
  constructor; intros; try destruct x as [x x']; try destruct y as [y y']; try destruct z as [z z'];
    unfold plus, times, minus, negative, nothing, unit; cbn [fst snd]; f_equal; ring.
Qed.
Add Ring ring_of_elements : elements_ring.

(** The generated functions. *)
Lemma times_spec y z : Ring_times own_ring y z = times y z.
Proof. destruct y, z. unfold Ring_times, times. cbn. f_equal; ring. Qed.
Theorem generated_ring :
  ring_theory nothing unit _plus (Ring_times own_ring) _minus negative (@eq K).
Proof.
  constructor; intros; rewrite ?times_spec; unfold _plus, _minus;
    destruct x as [x x']; try destruct y as [y y']; try destruct z as [z z'];
    rewrite ?times_spec; unfold plus, times, minus, negative, nothing, unit; cbn [fst snd]; f_equal; ring.
Qed.
Lemma act_spec y pair : Ring_act own_ring y pair = swap (times y (swap pair)).
Proof. destruct y, pair. unfold Ring_act, times, swap. cbn. f_equal; ring. Qed.
Lemma inverse_spec y : determinant y <> 0 -> times y (Ring_inverse own_ring y) = unit.
Proof.
  destruct y as [a b]. unfold determinant, Ring_inverse, times, unit. cbn. intros H.
  f_equal; field; known.
Qed.
(** Where the polynomial has no root the ring is a field. *)
Lemma rootless y : (forall x, x * x + c * x + omega <> 0) -> y <> nothing ->
  determinant y <> 0.
Proof.
  destruct y as [a b]. unfold determinant, nothing. cbn [fst snd]. intros Hroot Hy E.
  destruct (is_zero b) eqn:Hb; [apply (is_zero_spec F) in Hb|].
  - subst b. apply Hy. f_equal. destruct (is_zero a) eqn:Ha; [now apply (is_zero_spec F) in Ha|].
    apply (mul_zero a); [intros H; apply (is_zero_spec F) in H; congruence | rewrite <- E; ring].
  - assert (Hb0 : b <> 0) by (intros H; apply (is_zero_spec F) in H; congruence).
    apply (Hroot (a / b)). transitivity ((a * (a + c * b) + omega * b * b) / (b * b)); [now field|].
    rewrite E. now field.
Qed.
Lemma plus_spec y z : _plus y z = plus y z.
Proof. unfold _plus, plus. f_equal; ring. Qed.
Lemma minus_spec y z : _minus y z = minus y z.
Proof. unfold _minus, minus. f_equal; ring. Qed.
Lemma swap_plus y z : swap (plus y z) = plus (swap y) (swap z).
Proof. reflexivity. Qed.
Lemma swap_minus y z : swap (minus y z) = minus (swap y) (swap z).
Proof. reflexivity. Qed.
Lemma swap_swap y : swap (swap y) = y.
Proof. destruct y. reflexivity. Qed.

Lemma act_times y z pair :
  Ring_act own_ring (Ring_times own_ring y z) pair = Ring_act own_ring y (Ring_act own_ring z pair).
Proof. rewrite !act_spec, times_spec, swap_swap. f_equal. ring. Qed.
Lemma turn_square d beta : d <> 0 -> omega = beta * d ->
  times (turn d) (turn d) = minus (times (c / d, 0) (turn d)) (beta / d, 0).
Proof.
  intros Hd E. unfold times, minus, turn. cbn [fst snd]. rewrite E. f_equal; field; auto.
Qed.

(** An element that annihilates nothing has a determinant that is not 0. *)
Lemma determinant_nonzero y : (forall v, times y v = nothing -> v = nothing) -> determinant y <> 0.
Proof.
  intros H E. destruct y as [a b]. unfold determinant in E. cbn [fst snd] in E.
  assert (H1 : (a + c * b, - b) = nothing).
  { apply H. unfold times, nothing. cbn [fst snd]. f_equal; [rewrite <- E|]; ring. }
  unfold nothing in H1. injection H1 as Ha Hb.
  assert (Hb' : b = 0) by (transitivity (- - b); [ring | rewrite Hb; ring]).
  assert (Ha' : a = 0) by (transitivity (a + c * b - c * b); [ring | rewrite Ha, Hb'; ring]).
  assert (H2 : unit = nothing) by (apply H; subst; unfold times, unit, nothing; cbn; f_equal; ring).
  unfold unit, nothing in H2. injection H2 as H2. now apply (F_1_neq_0 (laws F)).
Qed.

(** Arrays of elements. *)
Definition total (X : nat -> K) n : K := (sum (fun i => fst (X i)) n, sum (fun i => snd (X i)) n).
Lemma total_step X n : total X (S n) = plus (total X n) (X n).
Proof. reflexivity. Qed.
Lemma total_ext X Y n : (forall i, i < n -> X i = Y i) -> total X n = total Y n.
Proof. intros H. unfold total. f_equal; apply sum_ext; intros; now rewrite H. Qed.
Lemma total_plus X H w n : total (fun i => plus (X i) (times (H i) w)) n
  = plus (total X n) (times (total H n) w).
Proof.
  induction n as [|n IH]; [unfold total, plus, times; cbn; f_equal; ring|].
  rewrite !total_step, IH. ring.
Qed.
Lemma total_scaled X v n : total (fun i => times (X i) v) n = times (total X n) v.
Proof.
  induction n as [|n IH]; [unfold total, times; cbn; f_equal; ring|].
  rewrite !total_step, IH. ring.
Qed.
Lemma total_zero n X : (forall i, i < n -> X i = nothing) -> total X n = nothing.
Proof.
  intros H. unfold total, nothing. f_equal; apply sum_zero; intros; now rewrite H.
Qed.

Section Laplacian.
Variable laplacian : array -> nat -> nat -> F.
Hypothesis HL : is_laplacian laplacian.
Definition bending (X : nat -> K) n i : K :=
  (laplacian (fun i => fst (X i)) n i, laplacian (fun i => snd (X i)) n i).
Lemma bending_total X n : total (bending X n) n = nothing.
Proof.
  unfold total, bending, nothing. cbn [fst snd].
  f_equal; [apply (laplacian_total _ HL (fun i => fst (X i))) | apply (laplacian_total _ HL (fun i => snd (X i)))].
Qed.
Lemma bending_ext X Y n i : (forall j, j < n -> X j = Y j) -> i < n -> bending X n i = bending Y n i.
Proof.
  intros H Hi. unfold bending. f_equal; apply (laplacian_local _ HL); auto; intros; now rewrite H.
Qed.
Lemma three (s t u : F) x y z n i : i < n ->
  laplacian (fun i => s * x i + (t * y i + u * z i)) n i
  = s * laplacian x n i + (t * laplacian y n i + u * laplacian z n i).
Proof.
  intros Hi. rewrite (laplacian_local _ HL _ (fun i => s * x i + 1 * (t * y i + u * z i)))
    by (auto; intros; ring).
  rewrite (laplacian_linear _ HL s 1 x (fun i => t * y i + u * z i)), (laplacian_linear _ HL). ring.
Qed.
Lemma bending_plus X H w n i : i < n ->
  bending (fun i => plus (X i) (times (H i) w)) n i
  = plus (bending X n i) (times (bending H n i) w).
Proof.
  intros Hi. unfold bending, plus, times. cbn [fst snd]. f_equal.
  - rewrite (laplacian_local _ HL _ (fun i => 1 * fst (X i)
      + (fst w * fst (H i) + (- (omega * snd w)) * snd (H i)))) by (auto; intros; ring).
    rewrite (three 1 _ _ (fun i => fst (X i)) (fun i => fst (H i)) (fun i => snd (H i))) by auto. ring.
  - rewrite (laplacian_local _ HL _ (fun i => 1 * snd (X i)
      + (snd w * fst (H i) + (c * snd w + fst w) * snd (H i)))) by (auto; intros; ring).
    rewrite (three 1 _ _ (fun i => snd (X i)) (fun i => fst (H i)) (fun i => snd (H i))) by auto. ring.
Qed.
Lemma bending_scaled H w n i : i < n ->
  bending (fun i => times (H i) w) n i = times (bending H n i) w.
Proof.
  intros Hi. rewrite (bending_ext _ (fun i => plus (times (H i) nothing) (times (H i) w)))
    by (auto; intros; ring).
  rewrite (bending_plus (fun i => times (H i) nothing)) by auto.
  assert (bending (fun i => times (H i) nothing) n i = nothing) as ->; [|ring].
  rewrite (bending_ext _ (fun _ => nothing)) by (auto; intros; ring).
  unfold bending, nothing. cbn [fst snd].
  assert (laplacian (fun _ => 0) n i = 0) as ->; auto.
  rewrite (laplacian_local _ HL _ (fun i => 0 * 0 + 0 * 0) n i) by (auto; intros; ring).
  rewrite (laplacian_linear _ HL 0 0 (fun _ => 0) (fun _ => 0)). ring.
Qed.

(** Row i of (L + T) X, and its sum over the rows. *)
Definition row (T : K) X n i : K := plus (bending X n i) (times T (X i)).
Lemma row_total T X n : total X n = nothing -> total (row T X n) n = nothing.
Proof.
  intros H. unfold row.
  rewrite (total_ext _ (fun i => plus (bending X n i) (times (X i) T)))
    by (intros; now rewrite (Ring_theory.Rmul_comm elements_ring T)).
  rewrite total_plus, bending_total, H. ring.
Qed.
Lemma row_plus T X H w n i : i < n ->
  row T (fun i => plus (X i) (times (H i) w)) n i = plus (row T X n i) (times (row T H n i) w).
Proof. intros Hi. unfold row. rewrite bending_plus by auto. ring. Qed.
Lemma row_scaled T H w n i : i < n ->
  row T (fun i => times (H i) w) n i = times (row T H n i) w.
Proof. intros Hi. unfold row. rewrite bending_scaled by auto. ring. Qed.
Lemma row_ext T X Y n i : (forall j, j < n -> X j = Y j) -> i < n -> row T X n i = row T Y n i.
Proof. intros H Hi. unfold row. now rewrite (bending_ext X Y), H by auto. Qed.
End Laplacian.

Lemma bending_path X n i : S i < n -> bending path_laplacian X n i =
  plus (match i with O => nothing | S j => minus (X i) (X j) end) (minus (X i) (X (S i))).
Proof.
  intros Hi. unfold bending, path_laplacian. apply Nat.ltb_lt in Hi as ->. destruct i; reflexivity.
Qed.

(** Elimination and closing, in the ring: every row but the last, which has what the loads lack. *)
Section Elimination.
Variables (T V : K) (E R U Z H load : nat -> K) (n : nat).
Hypothesis E_first : E O = T.
Hypothesis E_step : forall i, S (S i) < n -> E (S i) = plus T (times (R i) (E i)).
Hypothesis pivot : forall i, S i < n -> times (R i) (plus unit (E i)) = unit.
Hypothesis U_first : U O = load O.
Hypothesis U_step : forall i, S i < n -> U (S i) = plus (load (S i)) (times (R i) (U i)).
Hypothesis Z_step : forall i, S i < n -> Z i = times (R i) (plus (Z (S i)) (U i)).
Hypothesis H_step : forall i, S i < n -> H i = times (R i) (H (S i)).

Lemma eliminated X w : (forall i, i < n -> X i = plus (Z i) (times (H i) w)) ->
  forall i, S i < n -> row path_laplacian T X n i = load i.
Proof.
  intros HX. assert (Hback : forall i, S i < n ->
    minus (times (plus unit (E i)) (X i)) (X (S i)) = U i).
  { intros i Hi. rewrite !HX, Z_step, H_step by lia.
    transitivity (minus (times (times (R i) (plus unit (E i)))
      (plus (plus (Z (S i)) (U i)) (times (H (S i)) w))) (plus (Z (S i)) (times (H (S i)) w))); [ring|].
    rewrite pivot by auto. ring. }
  intros i Hi. unfold row. rewrite bending_path by auto. destruct i as [|i].
  - rewrite <- U_first, <- Hback, E_first by auto. ring.
  - assert (Hload : load (S i) = minus (U (S i)) (times (R i) (U i))) by (rewrite U_step by lia; ring).
    rewrite Hload, <- !Hback, E_step by lia.
    transitivity (plus (minus (times (plus (plus unit unit) T) (X (S i))) (X (S (S i)))) (negative (X i)));
      [ring|].
    transitivity (plus (minus (times (plus (plus unit (times (R i) (plus unit (E i)))) T) (X (S i)))
      (X (S (S i)))) (negative (times (times (R i) (plus unit (E i))) (X i)))); [|ring].
    rewrite pivot by lia. ring.
Qed.

Hypothesis inverse : times V (total H n) = unit.
Definition closed i := minus (Z i) (times (times V (H i)) (total Z n)).
Theorem closed_solves : total closed n = nothing /\
  (forall i, S i < n -> row path_laplacian T closed n i = load i) /\
  forall i, S i = n -> row path_laplacian T closed n i = minus (load i) (total load n).
Proof.
  set (w := negative (times V (total Z n))).
  assert (HX : forall i, closed i = plus (Z i) (times (H i) w)) by (intros; unfold closed, w; ring).
  assert (Hsum : total closed n = nothing).
  { rewrite (total_ext _ (fun i => plus (Z i) (times (H i) w))) by auto. rewrite total_plus. unfold w.
    transitivity (minus (total Z n) (times (times V (total H n)) (total Z n))); [ring|].
    rewrite inverse. ring. }
  assert (Hrows := eliminated closed w (fun i _ => HX i)).
  split; [exact Hsum|]. split; [exact Hrows|]. intros i Hi.
  assert (Hall := row_total path_laplacian path_is_laplacian T closed n Hsum). rewrite <- Hi in *.
  rewrite total_step, (total_ext _ load) in Hall by (intros; apply Hrows; lia). rewrite total_step.
  transitivity (minus (plus (total load i) (row path_laplacian T closed (S i) i)) (total load i));
    [ring | rewrite Hall; ring].
Qed.
End Elimination.
End Ring.

(** The form is definite: without load there is nothing. *)
Section Definite.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).
Variables beta c d : F.
Hypothesis Hb : nonnegative beta.
Hypothesis Hc : nonnegative c.
Hypothesis Hd : positive d.
Theorem without_load laplacian differences : by_parts laplacian differences ->
  (forall h k n, differences h k n = differences k h n) -> squares differences ->
  forall X n, total X n = nothing ->
  (forall i, i < n -> row c (beta * d) laplacian (turn c d) X n i = nothing) ->
  forall i, i < n -> X i = nothing.
Proof.
  intros Hparts Hsym Hsq X n Hsum Hrows.
  set (m := fun i => fst (X i)). set (x := fun i => snd (X i)).
  assert (Hd0 := positive_nonzero d Hd).
  assert (Hlevel : forall i, i < n -> m i = d * laplacian x n i).
  { intros i Hi. assert (E := f_equal snd (Hrows i Hi)).
    unfold row, bending, plus, times, turn, nothing in E. cbn [fst snd] in E. fold m x in E.
    fold (m i) (x i) in E.
    apply sub_zero. transitivity (- d * (laplacian x n i + ((c / d + c * - (1 / d)) * x i + - (1 / d) * m i)));
      [field; auto | rewrite E; ring]. }
  assert (Hmoment : forall i, i < n -> laplacian m n i + c / d * m i + beta * x i = 0).
  { intros i Hi. assert (E := f_equal fst (Hrows i Hi)).
    unfold row, bending, plus, times, turn, nothing in E. cbn [fst snd] in E. fold m x in E.
    fold (m i) (x i) in E. rewrite <- E. field. auto. }
  assert (Hxm : sum (fun i => x i * m i) n = d * differences x x n).
  { rewrite <- (Hparts x x n), <- (sum_scale (fun i => x i * laplacian x n i)).
    apply sum_ext. intros i Hi. rewrite Hlevel by auto. ring. }
  assert (Henergy : 1 / d * sum (fun i => m i * m i) n + (c * differences x x n
    + beta * sum (fun i => x i * x i) n) = 0).
  { transitivity (sum (fun i => x i * (laplacian m n i + c / d * m i + beta * x i)) n).
    - rewrite (sum_ext (fun i => x i * (laplacian m n i + c / d * m i + beta * x i))
        (fun i => x i * laplacian m n i + (c / d * (x i * m i) + beta * (x i * x i)))) by (intros; ring).
      rewrite (sum_add (fun i => x i * laplacian m n i)), (sum_add (fun i => c / d * (x i * m i))),
        (sum_scale (fun i => x i * m i)), (sum_scale (fun i => x i * x i)), Hxm, (Hparts x m n), (Hsym x m n),
        <- (Hparts m x n).
      rewrite (sum_ext (fun i => m i * laplacian x n i) (fun i => 1 / d * (m i * m i))).
      + rewrite (sum_scale (fun i => m i * m i)). field. auto.
      + intros i Hi. rewrite (Hlevel i) at 2 by auto. field. auto.
    - apply sum_zero. intros i Hi. rewrite Hmoment by auto. ring. }
  destruct (Hsq x n) as [Hpos Hconst].
  assert (H1 := nonnegative_mul _ _ (nonnegative_positive _ (positive_div _ _ positive_one Hd)) (sum_squares m n)).
  assert (H2 := nonnegative_mul _ _ Hc Hpos). assert (H3 := nonnegative_mul _ _ Hb (sum_squares x n)).
  destruct (nonnegative_sum_zero _ _ H1 (nonnegative_add _ _ H2 H3) Henergy) as [Hm _].
  apply mul_zero in Hm; [|now apply positive_nonzero, positive_div; [apply positive_one|]].
  assert (Hm0 := sum_squares_zero m n Hm).
  assert (Hflat : differences x x n = 0).
  { apply (mul_zero d); auto. rewrite <- Hxm. apply sum_zero. intros i Hi. rewrite Hm0 by auto. ring. }
  specialize (Hconst Hflat). unfold total, nothing in Hsum. injection Hsum as _ Hx. fold x in Hx.
  assert (Hsame : forall i, i < n -> x i = x O).
  { induction i as [|i IH]; intros Hi; auto. rewrite Hconst, IH by lia. reflexivity. }
  intros i Hi. assert (Hx0 : x O = 0).
  { apply (mul_zero (number n)); [apply number_nonzero; lia|].
    rewrite <- sum_const, <- Hx. apply sum_ext. intros j Hj. symmetry. now apply Hsame. }
  rewrite (surjective_pairing (X i)). fold (m i) (x i). now rewrite Hm0, Hsame, Hx0 by auto.
Qed.
End Definite.
