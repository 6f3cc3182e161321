(** Generated from cdg_theory/discrete/ by cdg_theory/formal/translate.py: not edited by hand.

    A function of Python is a function here, by the same name; [size] is the number of rows. *)
From Cdg Require Import Fields Arrays.
Require Import ZArith.
Local Open Scope field_scope.

Section Code.
Context {F : field}.
Local Notation array := (nat -> F).
Local Notation factors := (@factors F).

(** cdg_theory.discrete.sweeps *)

Definition eliminate_row (beta : F) (c : F) (excess : F) :=
  let carry_ := (c / (c + excess)) in
  (carry_, (beta + (carry_ * excess))).

Definition path_pivots (beta : F) (c : F) (n : nat) :=
  let '(excess, carry_) := ((set (fun _ => 0) 0 beta), (fun _ => 0)) in
  let '(excess, carry_) := for_up n (fun i '(excess, carry_) =>
    let '(p, following) := (eliminate_row beta c (excess i)) in
    let carry_ := (set carry_ (0 + i) p) in
    let excess := (set excess (1 + i) following) in
    (excess, carry_)) (excess, carry_) in
  (excess, carry_).

Definition path_factors (beta : F) (c : F) (n : nat) :=
  let '(excess, carry_) := (path_pivots beta c n) in
  let gain_ := (fun j' => 1 / (c + excess j')) in
  let gain_ := (set gain_ (n - 1)%nat 0) in
  let carry_ := carry_ in
  let homogeneous := (reversed (cumprod (append (c / c) (reversed carry_ (n - 1)%nat))) n) in
  {| carry := carry_; gain := gain_; closure := (let s' := (sum homogeneous n) in fun j' => homogeneous j' / s'); flux := None |}.

Definition cycle_factors (c : F) (excess : F) (n : nat) :=
  let pivot := (c + excess) in
  let q := (c / pivot) in
  let powers := (power q) in
  let powers := (let s' := (sum powers n) in fun j' => powers j' / s') in
  {| carry := (fun _ => q); gain := (fun _ => (1 / pivot)); closure := (reversed powers n); flux := Some powers |}.

Definition cycle_excess (sqrt : F -> F) (beta : F) (c : F) :=
  ((beta / (number 2)) + ((sqrt beta) * (sqrt (c + (beta / (number 4)))))).

Definition split_mean (g : array) (size : nat) :=
  let mean_ := (mean g size) in
  let fluctuation := (fun j' => g j' - mean_) in
  let rest := (mean fluctuation size) in
  ((mean_ + rest), (fun j' => fluctuation j' - rest)).

Definition carry_forward (y : array) (carry_ : array) (size : nat) :=
  let y := for_up (size - 1)%nat (fun i y =>
    let y := (set y (S i) ((y (S i)) + ((carry_ i) * (y i)))) in
    y) y in
  y.

Definition carry_backward (x : array) (carry_ : array) (size : nat) :=
  let x := for_down (size - 1)%nat (fun i x =>
    let x := (set x i ((x i) + ((carry_ i) * (x (S i))))) in
    x) x in
  x.

Definition close (u : array) (homogeneous : array) (size : nat) :=
  let u := (fun j' => u j' - (let s' := (sum u size) in fun j' => homogeneous j' * s') j') in
  u.

Definition solve_fluctuation (r : array) (factors_ : factors) (size : nat) :=
  let r := (carry_forward r (carry factors_) size) in
  let r := match (flux factors_) with None => r | Some flux' => (close r flux' size) end in
  let x := (fun j' => (gain factors_) j' * r j') in
  let x := (carry_backward x (carry factors_) size) in
  let x := (close x (closure factors_) size) in
  x.

Definition solve_gram (g : array) (alpha : F) (beta : F) (factors_ : option factors) (size : nat) :=
  let '(mean_, r) := (split_mean g size) in
  let x := match factors_ with None => (fun j' => r j' / beta) | Some factors' => (solve_fluctuation r factors' size) end in
  (let s' := (mean_ / alpha) in fun j' => s' + x j').

(** cdg_theory.discrete.inverse *)

Definition h0_entry (delta : F) (n : F) (beta : F) :=
  ((delta - (1 / n)) / beta).

Definition path_entry (lo : F) (hi : F) (n : F) :=
  (((((lo * (lo + 1)) + (hi * (hi + 1))) / ((number 2) * n)) - hi) + (((n - 1) * (((number 2) * n) - 1)) / ((number 6) * n))).

Definition cycle_entry (d : F) (n : F) :=
  ((((n * n) - 1) / ((number 12) * n)) - ((d * (n - d)) / ((number 2) * n))).

Definition path_resolvent (lo : Z) (hi : Z) (n : Z) (c : F) (power_ : Z -> F) :=
  let numerator := (((power_ (hi - lo)%Z) * (1 + (power_ ((2 * lo)%Z + 1)%Z))) * (1 + (power_ ((2 * ((n - 1)%Z - hi)%Z)%Z + 1)%Z))) in
  (numerator / ((c * ((power_ (-1)%Z) - (power_ 1%Z))) * (1 - (power_ (2 * n)%Z)))).

Definition cycle_resolvent (d : Z) (n : Z) (c : F) (power_ : Z -> F) :=
  (((power_ d) + (power_ (n - d)%Z)) / ((c * ((power_ (-1)%Z) - (power_ 1%Z))) * (1 - (power_ n)))).

Definition cycle_drop (u : Z) (nodes : Z) (scale : F) (below_one : Z -> F) :=
  (((below_one u) / scale) * ((below_one (nodes - u)%Z) / (below_one nodes))).

(** cdg_theory.discrete.shrinkage *)

Definition mode_risk (kappa : F) (s : F) (nu : F) :=
  ((((1 - kappa) * (1 - kappa)) * s) + ((kappa * kappa) * nu)).

(** cdg_theory.discrete.blocks *)

Definition solve_alone (w : array) (beta : F) (c : F) (size : nat) :=
  (if is_zero c then (fun j' => w j' / beta) else (solve_fluctuation w (path_factors beta c size) size)).

Definition solve_path (q : array) (J : array) (n : array) (tau : array) (C : array) (beta : F) (w : F) (size : nat) :=
  let '(Y, E) := (q, (fun j' => beta * n j')) in
  let '(p, y, e) := ((fun _ => 0), (fun _ => 0), (fun _ => 0)) in
  let '(Y, E, p, y, e) := for_up (size - 1)%nat (fun b '(Y, E, p, y, e) =>
    let p := (set p b ((C b) / (((C b) * (tau b)) + (E b)))) in
    let y := (set y b ((p b) * (((tau b) * (Y b)) + ((E b) * (J b))))) in
    let e := (set e b (((p b) * (E b)) * (tau (S b)))) in
    let Y := (set Y (S b) ((Y (S b)) + (y b))) in
    let E := (set E (S b) ((E (S b)) + (e b))) in
    (Y, E, p, y, e)) (Y, E, p, y, e) in
  let '(level, h) := ((fun _ => 0), (fun j' => n j' / n j')) in
  let '(level, h) := for_down (size - 1)%nat (fun b '(level, h) =>
    let level := (set level b (((Y b) / (((C b) * (tau b)) + (E b))) + ((p b) * (((tau (S b)) * (level (S b))) - (J b))))) in
    let h := (set h b (((p b) * (tau (S b))) * (h (S b)))) in
    (level, h)) (level, h) in
  let level := (fun j' => level j' + (let s' := (((Y (size - 1)%nat) - (w * (sum (fun j' => n j' * level j') size))) / ((E (size - 1)%nat) + (w * (sum (fun j' => n j' * h j') size)))) in fun j' => h j' * s') j') in
  (level, (fun j' => y j' - (e j' * (level (S j'))))).

Definition finish_block (f : array) (told : F * F * F) (solve : array -> array) (size : nat) :=
  let '(level, left_, right_) := told in
  let w := (let s' := ((left_ + right_) / (number size)) in fun j' => f j' - s') in
  let w := (set w O ((w O) + left_)) in
  let w := (set w (size - 1)%nat ((w (size - 1)%nat) + right_)) in
  (fun j' => (solve w) j' + level).
End Code.
