(** Signs in an ordered field. *)
From Cdg Require Import Fields Arrays Definitions Sums.
Require Import Field.
Local Open Scope field_scope.

Section Order.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).

Lemma positive_nonzero (x : F) : positive x -> x <> 0.
Proof. intros H ->. now apply (positive_not_zero F). Qed.
Lemma positive_one : positive (1 : F).
Proof.
  destruct (positive_total F 1) as [H|[H|H]]; auto.
  - exfalso. apply (F_1_neq_0 (laws F)). exact H.
  - replace (1 : F) with ((- (1)) * (- (1)) : F) by ring. now apply positive_mul.
Qed.
Lemma positive_number n : positive (number (S n) : F).
Proof.
  induction n; simpl in *; [replace (0 + 1 : F) with (1 : F) by ring; apply positive_one|].
  apply positive_add; [exact IHn | apply positive_one].
Qed.
Lemma number_nonzero n : 0 < n -> number n <> 0 :> F.
Proof. intros H. destruct n; [lia|]. apply positive_nonzero, positive_number. Qed.
Lemma positive_div (x y : F) : positive x -> positive y -> positive (x / y).
Proof.
  intros Hx Hy. assert (Hy0 := positive_nonzero y Hy).
  assert (positive (1 / y)).
  { destruct (positive_total F (1 / y)) as [H|[H|H]]; auto; exfalso.
    - apply (F_1_neq_0 (laws F)). transitivity (y * (1 / y)); [now field | rewrite H; ring].
    - apply (positive_not_zero F). replace (0 : F) with (y * (- (1 / y)) + 1) by now field.
      apply positive_add; [now apply positive_mul | apply positive_one]. }
  replace (x / y) with (x * (1 / y)) by now field. now apply positive_mul.
Qed.

Lemma nonnegative_zero : nonnegative (0 : F).
Proof. now left. Qed.
Lemma nonnegative_positive (x : F) : positive x -> nonnegative x.
Proof. now right. Qed.
Lemma nonnegative_add (x y : F) : nonnegative x -> nonnegative y -> nonnegative (x + y).
Proof.
  intros [->|Hx] [->|Hy]; [left; ring | right | right | right; now apply positive_add].
  - now replace (0 + y) with y by ring.
  - now replace (x + 0) with x by ring.
Qed.
Lemma positive_add_nonnegative (x y : F) : positive x -> nonnegative y -> positive (x + y).
Proof. intros Hx [->|Hy]; [now replace (x + 0) with x by ring | now apply positive_add]. Qed.
Lemma nonnegative_mul (x y : F) : nonnegative x -> nonnegative y -> nonnegative (x * y).
Proof. intros [->|Hx] [->|Hy]; try (left; ring). right. now apply positive_mul. Qed.
Lemma nonnegative_div (x y : F) : nonnegative x -> positive y -> nonnegative (x / y).
Proof.
  intros [->|Hx] Hy; [left|right; now apply positive_div].
  field. now apply positive_nonzero.
Qed.
Lemma square (x : F) : x = 0 \/ positive (x * x).
Proof.
  destruct (positive_total F x) as [H|[H|H]]; [now left | right | right].
  - now apply positive_mul.
  - replace (x * x) with ((- x) * (- x)) by ring. now apply positive_mul.
Qed.
Lemma nonnegative_square (x : F) : nonnegative (x * x).
Proof. destruct (square x) as [->|H]; [left; ring | now right]. Qed.
Lemma nonnegative_half (x : F) : nonnegative (x + x) -> nonnegative x.
Proof.
  intros H. destruct (positive_total F x) as [E|[E|E]]; [now left | now right | exfalso].
  apply (positive_not_zero F). destruct H as [H|H].
  - replace (0 : F) with (- x + - x); [now apply positive_add|].
    transitivity (- (x + x)); [ring | rewrite H; ring].
  - replace (0 : F) with ((x + x) + (- x + - x)) by ring.
    apply positive_add; auto. now apply positive_add.
Qed.
Lemma nonnegative_sum_zero (x y : F) : nonnegative x -> nonnegative y -> x + y = 0 -> x = 0 /\ y = 0.
Proof.
  intros [->|Hx] Hy H; [split; auto; rewrite <- H; ring | exfalso].
  apply (positive_nonzero (x + y)); auto. now apply positive_add_nonnegative.
Qed.

Lemma sum_nonnegative (a : nat -> F) n : (forall i, i < n -> nonnegative (a i)) ->
  nonnegative (sum a n).
Proof.
  induction n as [|n IH]; intros H; cbn [sum]; [now left|]. apply nonnegative_add; [apply IH|];
    intros; apply H; lia.
Qed.
Lemma sum_positive (a : nat -> F) n : 0 < n -> (forall i, i < n -> positive (a i)) ->
  positive (sum a n).
Proof.
  intros Hn H. destruct n as [|n]; [lia|]. cbn [sum].
  replace (sum a n + a n) with (a n + sum a n) by ring.
  apply positive_add_nonnegative; [apply H; lia|].
  apply sum_nonnegative. intros i Hi. right. apply H. lia.
Qed.
Lemma sum_squares (a : nat -> F) n : nonnegative (sum (fun i => a i * a i) n).
Proof. apply sum_nonnegative. intros. apply nonnegative_square. Qed.
Lemma sum_squares_zero (a : nat -> F) n : sum (fun i => a i * a i) n = 0 ->
  forall i, i < n -> a i = 0.
Proof.
  induction n as [|n IH]; cbn [sum]; [lia|]. intros H i Hi.
  destruct (nonnegative_sum_zero _ _ (sum_squares a n) (nonnegative_square (a n)) H) as [H1 H2].
  destruct (Nat.eq_dec i n) as [->|]; [|apply IH; auto; lia].
  destruct (square (a n)) as [E|E]; auto. exfalso. now apply (positive_nonzero _ E).
Qed.
End Order.
