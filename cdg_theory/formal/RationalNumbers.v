(** The rational numbers are an ordered field: the generated code runs on them, in the kernel. *)
From Cdg Require Import Fields Arrays Code Definitions.
Require Import QArith Qcanon Qpower List.
Import ListNotations.

Definition rational_is_zero (x : Qc) : bool := if Qc_eq_dec x 0 then true else false.
Lemma rational_is_zero_spec x : rational_is_zero x = true <-> x = 0%Qc.
Proof. unfold rational_is_zero. destruct (Qc_eq_dec x 0); split; auto; discriminate. Qed.
Definition rationals : field := Eval hnf in
  {| carrier := Qc; zero := 0%Qc; one := 1%Qc; add := Qcplus; mul := Qcmult; sub := Qcminus;
     opp := Qcopp; div := Qcdiv; inv := Qcinv; laws := Qcft;
     is_zero := rational_is_zero; is_zero_spec := rational_is_zero_spec |}.
Lemma rationals_total (x : rationals) : x = 0%Qc \/ (0 < x)%Qc \/ (0 < - x)%Qc.
Proof.
  destruct (Qc_dec x 0%Qc) as [[H|H]|H].
  - right. right. rewrite Qclt_minus_iff in H. now rewrite Qcplus_0_l in H.
  - right. now left.
  - now left.
Qed.
Lemma rationals_add (x y : Qc) : (0 < x -> 0 < y -> 0 < x + y)%Qc.
Proof.
  intros Hx Hy. apply Qclt_trans with x; auto. rewrite Qclt_minus_iff.
  now replace (x + y + - x)%Qc with y by ring.
Qed.
Lemma rationals_mul (x y : Qc) : (0 < x -> 0 < y -> 0 < x * y)%Qc.
Proof. intros Hx Hy. rewrite <- (Qcmult_0_l y). now apply Qcmult_lt_compat_r. Qed.
Definition ordered_rationals : ordered :=
  Ordered rationals (fun x : Qc => (0 < x)%Qc) rationals_add rationals_mul
    (fun H => Qclt_not_eq _ _ H eq_refl) rationals_total.

(** Vectors as lists of fractions. *)
Definition vector (l : list Q) : nat -> rationals := fun i => nth i (map Q2Qc l) 0%Qc.
Definition listed (x : nat -> rationals) (n : nat) : list Q := map (fun i => this (x i)) (seq 0 n).
Definition same (a b : list Q) : bool :=
  forallb (fun p => Qeq_bool (fst p) (snd p)) (combine a b) && Nat.eqb (length a) (length b).

(** The powers of 2. *)
Definition two_to (e : Z) : rationals := Q2Qc (Qpower 2 e).
Lemma two_to_powers : powers two_to.
Proof.
  split; [reflexivity|]. intros a b. apply Qc_is_canon. unfold two_to. cbn [mul rationals Qcmult this Q2Qc].
  rewrite !Qred_correct. apply Qpower_plus. discriminate.
Qed.
