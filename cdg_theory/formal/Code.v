(** Generated from cdg_theory/discrete/ by cdg_theory/formal/translate.py: not edited by hand.

    A function of Python is a function here, by the same name; [size] is the number of rows. *)
From Cdg Require Import Fields Arrays.
Require Import ZArith.
Local Open Scope field_scope.

Section Code.
Context {F : field}.
Local Notation array := (nat -> F).
Local Notation factors := (@factors F).
Local Notation ring := (@ring F).
Local Notation pair_factors := (@pair_factors F).

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

(** cdg_theory.discrete.network *)

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
  (level, (fun j' => y j' - (e j' * (level (next size j'))))).

Definition solve_cycle (q : array) (J : array) (n : array) (tau : array) (C : array) (beta : F) (w : F) (size : nat) :=
  let '(level, flux_) := (solve_path q J n tau C beta w size) in
  let across := (fun j' => 0 * n j') in
  let across := (set across O ((across O) + 1)) in
  let across := (set across (size - 1)%nat ((across (size - 1)%nat) - 1)) in
  let '(unit_level, unit_flux) := (solve_path across (fun j' => 0 * n j') n tau C beta w size) in
  let unit_flux := (set unit_flux (size - 1)%nat ((unit_flux (size - 1)%nat) + 1)) in
  let fall := (((tau (size - 1)%nat) * (level (size - 1)%nat)) - ((tau O) * (level O))) in
  let unit_fall := (((tau (size - 1)%nat) * (unit_level (size - 1)%nat)) - ((tau O) * (unit_level O))) in
  let seam_ := (((C (size - 1)%nat) * (fall + (J (size - 1)%nat))) / (1 - ((C (size - 1)%nat) * unit_fall))) in
  ((fun j' => level j' + (seam_ * unit_level j')), (fun j' => flux_ j' + (seam_ * unit_flux j'))).

Definition solve_network (o : array) (t : array) (t_ : array) (n : array) (first : array) (last : array) (beta : F) (c : F) (w : F) (periodic : bool) (size : nat) :=
  let '(kappa, rho, tau) := ((fun j' => - last j'), (fun j' => first j' - last j'), (fun j' => 1 + ((beta * n j') * last j'))) in
  let '(s, s_) := ((fun j' => ((n j' * kappa j') * o j') + t j'), (fun j' => ((n j' * kappa j') * o j') + t_ j')) in
  let '(q, J) := ((fun j' => n j' * o j'), (fun j' => s_ j' - (s (next size j')))) in
  let C := (fun j' => c / ((1 + (c * rho j')) + (c * (rho (next size j'))))) in
  let '(level, flux_) := (if periodic then (solve_cycle q J n tau C beta w size) else (solve_path q J n tau C beta w size)) in
  (level, (fun j' => flux_ (prev size j')), (fun j' => - flux_ j')).

(** cdg_theory.discrete.blocks *)

Definition solve_alone (w : array) (beta : F) (c : F) (size : nat) :=
  (if is_zero c then (fun j' => w j' / beta) else (solve_fluctuation w (path_factors beta c size) size)).

Definition split_offsets (means : array) (weights : array) (size : nat) :=
  let mean_ := (sum (fun j' => weights j' * means j') size) in
  let rest := (sum (fun j' => weights j' * (means j' - mean_)) size) in
  ((mean_ + rest), (fun j' => (means j' - mean_) - rest)).

Definition finish_block (f : array) (told : F * F * F) (solve : array -> array) (size : nat) :=
  let '(level, left_, right_) := told in
  let w := (let s' := ((left_ + right_) / (number size)) in fun j' => f j' - s') in
  let w := (set w O ((w O) + left_)) in
  let w := (set w (size - 1)%nat ((w (size - 1)%nat) + right_)) in
  (fun j' => (solve w) j' + level).

(** cdg_theory.discrete.curvature *)

Definition Ring_times (self : ring) (y : F * F) (z : F * F) :=
  let '((a, b), (a_, b_)) := (y, z) in
  (((a * a_) - (((ring_omega self) * b) * b_)), (((a + ((ring_c self) * b)) * b_) + (b * a_))).

Definition Ring_act (self : ring) (y : F * F) (pair : F * F) :=
  let '((a, b), (x, m)) := (y, pair) in
  ((((a + ((ring_c self) * b)) * x) + (b * m)), ((a * m) - (((ring_omega self) * b) * x))).

Definition Ring_inverse (self : ring) (y : F * F) :=
  let '(a, b) := y in
  let determinant := ((a * (a + ((ring_c self) * b))) + (((ring_omega self) * b) * b)) in
  (((a + ((ring_c self) * b)) / determinant), ((- b) / determinant)).

Definition eliminate_pair (p : F) (q : F) (A : F) (B : F) :=
  let W := ((((q * A) * A) + ((p * A) * B)) + (B * B)) in
  let N := (((1 + (((number 2) * q) * A)) + (p * B)) + (q * W)) in
  (N, ((A + W) / N), (1 + (B / N))).

Definition pair_carries (beta : F) (c : F) (d : F) (n : nat) :=
  let '(p, q) := ((c / d), (beta / d)) in
  let '(A, B) := ((0 * d), (d / d)) in
  let carries := ((fun _ => 0), (fun _ => 0)) in
  let '(A, B, carries) := for_up (n - 1)%nat (fun i' '(A, B, carries) =>
    let '(a, b) := ((1 + (q * A)), (B / d)) in
    let '(N, A, B) := (eliminate_pair p q A B) in
    let carries := ((set (fst carries) (0 + i') (a / N)), (set (snd carries) (0 + i') (b / N))) in
    (A, B, carries)) (A, B, carries) in
  carries.

Definition curvature_carry_forward (u : array) (w : array) (ring_ : ring) (carry_ : array * array) (size : nat) :=
  let '(u, w) := for_up (size - 1)%nat (fun i '(u, w) =>
    let '(level, moment) := (Ring_act ring_ (((fst carry_) i), ((snd carry_) i)) ((u i), (w i))) in
    let u := (set u (S i) ((u (S i)) + level)) in
    let w := (set w (S i) ((w (S i)) + moment)) in
    (u, w)) (u, w) in
  (u, w).

Definition curvature_carry_backward (u : array) (w : array) (ring_ : ring) (carry_ : array * array) (size : nat) :=
  let u := (set u (size - 1)%nat ((u (size - 1)%nat) * 0)) in
  let w := (set w (size - 1)%nat ((w (size - 1)%nat) * 0)) in
  let '(u, w) := for_down (size - 1)%nat (fun i '(u, w) =>
    let pair := (((u (S i)) + (u i)), ((w (S i)) + (w i))) in
    let '(v0', v1') := (Ring_act ring_ (((fst carry_) i), ((snd carry_) i)) ((fst pair), (snd pair))) in
    let u := (set u i v0') in
    let w := (set w i v1') in
    (u, w)) (u, w) in
  (u, w).

Definition _plus (pair : F * F) (other : F * F) :=
  (((fst pair) + (fst other)), ((snd pair) + (snd other))).

Definition _minus (pair : F * F) (other : F * F) :=
  (((fst pair) - (fst other)), ((snd pair) - (snd other))).

Definition curvature_solve_path (loads : array * array) (factors_ : pair_factors) (size : nat) :=
  let '(u, w) := loads in
  let '(u, w) := (curvature_carry_forward u w (pair_ring factors_) (pair_carry factors_) size) in
  let '(u, w) := (curvature_carry_backward u w (pair_ring factors_) (pair_carry factors_) size) in
  let sums := ((sum u size), (sum w size)) in
  (let s0' := (u, w) in let s1' := (let s0' := (pair_closure factors_) in let s1' := (fst sums) in let s2' := (snd sums) in by_row (fun j' => (Ring_act (pair_ring factors_) ((fst s0') j', (snd s0') j') (s1', s2')))) in by_row (fun j' => (_minus ((fst s0') j', (snd s0') j') ((fst s1') j', (snd s1') j')))).

Definition homogeneous_pairs (carry_ : array * array) (ring_ : ring) (d : F) (n : nat) :=
  let upwards := ((reversed (fst carry_) (n - 1)%nat), (reversed (snd carry_) (n - 1)%nat)) in
  let homogeneous := ((set (fun _ => 0) 0 (d / d)), (set (fun _ => 0) 0 (0 * d))) in
  let homogeneous := for_up (n - 1)%nat (fun i homogeneous =>
    let homogeneous := ((set (fst homogeneous) (1 + i) (fst (Ring_times ring_ (((fst upwards) i), ((snd upwards) i)) (((fst homogeneous) i), ((snd homogeneous) i))))), (set (snd homogeneous) (1 + i) (snd (Ring_times ring_ (((fst upwards) i), ((snd upwards) i)) (((fst homogeneous) i), ((snd homogeneous) i)))))) in
    homogeneous) homogeneous in
  ((reversed (fst homogeneous) n), (reversed (snd homogeneous) n)).

Definition path_pair_factors (beta : F) (c : F) (d : F) (n : nat) :=
  let ring_ := {| ring_c := c; ring_omega := (beta * d) |} in
  let carry_ := (pair_carries beta c d n) in
  let H := (homogeneous_pairs carry_ ring_ d n) in
  let closure_ := (let s0' := (fst (Ring_inverse ring_ ((sum (fst H) n), (sum (snd H) n)))) in let s1' := (snd (Ring_inverse ring_ ((sum (fst H) n), (sum (snd H) n)))) in let s2' := ((fst H), (snd H)) in by_row (fun j' => (Ring_times ring_ (s0', s1') ((fst s2') j', (snd s2') j')))) in
  {| pair_ring := ring_; pair_carry := carry_; pair_closure := closure_; seam := None; release := None |}.

Definition cycle_pair_factors (beta : F) (c : F) (d : F) (n : nat) :=
  let path := (path_pair_factors beta c d n) in
  let dipole := (fun _ => (0 * d)) in
  let dipole := (set dipole O ((dipole O) + (d / d))) in
  let dipole := (set dipole (n - 1)%nat ((dipole (n - 1)%nat) - (d / d))) in
  let '(b, a) := (curvature_solve_path ((fun j' => 0 * dipole j'), dipole) path n) in
  let release_ := (Ring_inverse (pair_ring path) ((1 + ((number 2) * (a O))), ((number 2) * (b O)))) in
  {| pair_ring := (pair_ring path); pair_carry := (pair_carry path); pair_closure := (pair_closure path); seam := Some (a, b); release := Some release_ |}.

Definition curvature_factors (beta : F) (c : F) (d : F) (n : nat) (periodic : bool) :=
  (if periodic then (cycle_pair_factors beta c d n) else (path_pair_factors beta c d n)).

Definition seam_flux (r : array) (factors_ : pair_factors) (size : nat) :=
  let seam' := match (seam factors_) with None => ((fun _ => 0), (fun _ => 0)) | Some seam' => seam' end in
  let release' := match (release factors_) with None => (0, 0) | Some release' => release' end in
  let '(a, b) := seam' in
  (Ring_act (pair_ring factors_) ((fst release'), (snd release')) ((- (sum (fun j' => b j' * r j') size)), (- (sum (fun j' => a j' * r j') size)))).

Definition close_seam (pair : array * array) (flux_ : F * F) (factors_ : pair_factors) (size : nat) :=
  let seam' := match (seam factors_) with None => ((fun _ => 0), (fun _ => 0)) | Some seam' => seam' end in
  let release' := match (release factors_) with None => (0, 0) | Some release' => release' end in
  let '(levels, moments) := pair in
  let flows := (((levels (size - 1)%nat) - (levels O)), ((moments (size - 1)%nat) - (moments O))) in
  let missing := (Ring_act (pair_ring factors_) ((fst release'), (snd release')) ((fst (_minus ((fst flows), (snd flows)) ((fst flux_), (snd flux_)))), (snd (_minus ((fst flows), (snd flows)) ((fst flux_), (snd flux_)))))) in
  (let s0' := (let s0' := (fst missing) in let s1' := (snd missing) in by_row (fun j' => (Ring_act (pair_ring factors_) ((fst seam') j', (snd seam') j') (s0', s1')))) in by_row (fun j' => (_plus ((fst pair) j', (snd pair) j') ((fst s0') j', (snd s0') j')))).

Definition solve_curvature (r : array) (factors_ : pair_factors) (size : nat) :=
  let '(u, w) := ((fun j' => 0 * r j'), r) in
  match (seam factors_) with None => (fst (curvature_solve_path (u, w) factors_ size)) | Some seam' =>
  let flux_ := (seam_flux r factors_ size) in
  let u := (set u O ((u O) + (fst flux_))) in
  let w := (set w O ((w O) + (snd flux_))) in
  (fst (close_seam (curvature_solve_path (u, w) factors_ size) ((fst flux_), (snd flux_)) factors_ size)) end.

(** cdg_theory.discrete.sweeps *)

Definition solve_second_order (g : array) (alpha : F) (factors_ : pair_factors) (size : nat) :=
  let '(mean_, r) := (split_mean g size) in
  (let s' := (mean_ / alpha) in fun j' => s' + (solve_curvature r factors_ size) j').
End Code.
