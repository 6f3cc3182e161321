(** T14: what commutes with every permutation, and the price of an order. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Inverse Circulant.
Require Import Field.
Local Open Scope field_scope.

Section Exchangeable.
Context {F : field}.
Add Field field_of_F : (laws F).

Definition swap (a b i : nat) : nat := if Nat.eqb i a then b else if Nat.eqb i b then a else i.
Lemma swap_permutes a b n : a < n -> b < n -> permutation (swap a b) n.
Proof.
  intros Ha Hb. unfold permutation, swap. split.
  - intros i Hi. destruct (Nat.eqb i a), (Nat.eqb i b); auto.
  - intros i j Hi Hj. repeat (match goal with |- context [Nat.eqb ?x ?y] =>
      destruct (Nat.eqb_spec x y) end); lia.
Qed.

Theorem commutant (A : nat -> nat -> F) n : number n <> 0 :> F ->
  (forall p, permutation p n -> forall i j, i < n -> j < n -> A (p i) (p j) = A i j) <->
  exists a b, forall i j, i < n -> j < n -> A i j = a * (1 / number n) + b * (delta i j - 1 / number n).
Proof.
  intros Hn. split.
  - intros H.
    assert (Hdiagonal : forall i, i < n -> A i i = A O O).
    { intros i Hi. rewrite <- (H _ (swap_permutes O i n ltac:(lia) Hi) O O) by lia.
      unfold swap. now rewrite Nat.eqb_refl. }
    assert (Hoff : forall i j, i < n -> j < n -> i <> j -> A i j = A O 1%nat).
    { assert (Hzero : forall j, j < n -> j <> O -> A O j = A O 1%nat).
      { intros j Hj Hne. rewrite <- (H _ (swap_permutes 1 j n ltac:(lia) Hj) O 1%nat) by lia.
        unfold swap. rewrite Nat.eqb_refl. cbn [Nat.eqb]. destruct j; [lia | reflexivity]. }
      intros i j Hi Hj Hne. rewrite <- (H _ (swap_permutes O i n ltac:(lia) Hi) i j Hi Hj).
      assert (swap O i i = O) as ->.
      { unfold swap. destruct (Nat.eqb_spec i 0); auto. now rewrite Nat.eqb_refl. }
      apply Hzero; unfold swap; repeat (match goal with |- context [Nat.eqb ?x ?y] =>
        destruct (Nat.eqb_spec x y) end); lia. }
    exists (A O O + (number n - 1) * A O 1%nat), (A O O - A O 1%nat). intros i j Hi Hj.
    unfold delta. destruct (Nat.eqb_spec i j) as [->|Hne].
    + rewrite Hdiagonal by auto. field. auto.
    + rewrite Hoff by auto. field. auto.
  - intros (a & b & H) p [Hless Hinj] i j Hi Hj. rewrite !H by auto.
    enough (delta (p i) (p j) = delta i j :> F) as -> by reflexivity.
    unfold delta. destruct (Nat.eqb_spec i j) as [->|Hne].
    + now rewrite Nat.eqb_refl.
    + rewrite eqb_false; auto.
Qed.

Theorem price (s nu : F) (kappa : nat -> F) n : number n <> 0 :> F ->
  sum (fun m => mode_risk (kappa m) s nu) n - number n * mode_risk (mean kappa n) s nu
  = (s + nu) * sum (fun m => (kappa m - mean kappa n) * (kappa m - mean kappa n)) n.
Proof.
  intros Hn. set (a := mean kappa n).
  assert (E : forall x, mode_risk x s nu = s + (- (s + s) * x + (s + nu) * (x * x)))
    by (intros; unfold mode_risk; ring).
  rewrite (sum_ext _ _ n (fun m _ => E (kappa m))), (sum_add (fun _ => s)), sum_const,
    (sum_add (fun m => - (s + s) * kappa m)), (sum_scale kappa),
    (sum_scale (fun m => kappa m * kappa m)), E, (mean_sum kappa) by auto. fold a.
  rewrite (sum_ext (fun m => (kappa m - a) * (kappa m - a))
    (fun m => (kappa m * kappa m + - (a + a) * kappa m) + a * a)) by (intros; ring).
  rewrite (sum_add (fun m => kappa m * kappa m + - (a + a) * kappa m)),
    (sum_add (fun m => kappa m * kappa m)), sum_const, (sum_scale kappa), (mean_sum kappa) by auto.
  fold a. ring.
Qed.
End Exchangeable.
