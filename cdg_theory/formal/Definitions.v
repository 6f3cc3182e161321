(** What the code is to compute: the matrix M, the form, and the quantities of the docstrings. *)
From Cdg Require Import Fields Arrays.
Require Import ZArith.
Local Open Scope field_scope.

(** A permutation of the indices below n. *)
Definition permutation (p : nat -> nat) (n : nat) : Prop :=
  (forall i, i < n -> p i < n) /\ forall i j, i < n -> j < n -> p i = p j -> i = j.

Section Definitions.
Context {F : field}.
Local Notation array := (nat -> F).

(** Row i of L x, on the path and on the cycle of n rows. *)
Definition path_laplacian (x : array) (n i : nat) : F :=
  (match i with O => 0 | S j => x i - x j end) + (if Nat.ltb (S i) n then x i - x (S i) else 0).
Definition cycle_laplacian (x : array) (n i : nat) : F :=
  (x i - x (prev n i)) + (x i - x (next n i)).
Definition laplacian (periodic : bool) := if periodic then cycle_laplacian else path_laplacian.

(** Row i of (beta I + c L) x, and of M k, M = alpha P + beta (I - P) + c L. *)
Definition operator (laplacian : array -> nat -> nat -> F) (beta c : F) (x : array) (n i : nat) : F :=
  beta * x i + c * laplacian x n i.
Definition gram (laplacian : array -> nat -> nat -> F) (alpha beta c : F) (k : array) (n i : nat) : F :=
  alpha * mean k n + beta * (k i - mean k n) + c * laplacian k n i.

(** The sums over edges of products of differences, and the form:
    alpha n hbar kbar + beta sum (h - hbar)(k - kbar) + c sum (h_{i+1} - h_i)(k_{i+1} - k_i). *)
Definition path_differences (h k : array) (n : nat) : F :=
  sum (fun i => (h (S i) - h i) * (k (S i) - k i)) (n - 1).
Definition cycle_differences (h k : array) (n : nat) : F :=
  sum (fun i => (h (next n i) - h i) * (k (next n i) - k i)) n.
Definition form (differences : array -> array -> nat -> F) (alpha beta c : F) (h k : array) n : F :=
  alpha * number n * mean h n * mean k n
  + beta * sum (fun i => (h i - mean h n) * (k i - mean k n)) n
  + c * differences h k n.

(** Entries of the unit matrix. *)
Definition delta (i j : nat) : F := if Nat.eqb i j then 1 else 0.

(** E_0 = beta, p_i = c / (c + E_i), E_{i+1} = beta + p_i E_i. *)
Fixpoint excess (beta c : F) (i : nat) : F :=
  match i with O => beta | S j => beta + c / (c + excess beta c j) * excess beta c j end.
Definition path_carry (beta c : F) (i : nat) : F := c / (c + excess beta c i).
(** h_i = p_i p_{i+1} ... p_{n-2} *)
Definition path_homogeneous (beta c : F) (n i : nat) : F :=
  for_up (n - 1 - i) (fun j h => path_carry beta c (n - 2 - j) * h) 1.

(** S_i = sum of y_k for i <= k <= n - 2, where y_k is the sum of r_l for l <= k. *)
Definition running (r : array) (n i : nat) : F := sum (fun d => sum r (S (i + d))) (n - 1 - i).

(** The powers r^e of a number r = power 1, e an integer. *)
Definition powers (power : Z -> F) : Prop :=
  power 0%Z = 1 /\ forall a b, power (a + b)%Z = power a * power b.

(** The distance of two rows. *)
Definition distance (i j : nat) : nat := Nat.max i j - Nat.min i j.

(** Blocks: E of the elimination in blocks.py. *)
Fixpoint block_excess (beta : F) (n tau C : array) (b : nat) : F :=
  match b with
  | O => beta * n O
  | S a => let E := block_excess beta n tau C a in
    beta * n (S a) + C a / (C a * tau a + E) * E * tau (S a)
  end.

(** With a curvature term: M = alpha P + beta (I - P) + c L + d L^2. *)
Definition second_order (laplacian : array -> nat -> nat -> F) (alpha beta c d : F) (k : array) n i : F :=
  gram laplacian alpha beta c k n i + d * laplacian (laplacian k n) n i.
(** The pivots over pairs are 1 + E_i, E_i = q A_i + B_i T, p = c / d, q = beta / d; N is the
    determinant of 1 + E. *)
Definition norm (p q A B : F) : F := 1 + (q * A + q * A) + p * B + q * (q * A * A + p * A * B + B * B).
Fixpoint pair_excess (p q : F) (i : nat) : F * F :=
  match i with
  | O => (0, 1)
  | S j => let '(A, B) := pair_excess p q j in let N := norm p q A B in
    ((A + (q * A * A + p * A * B + B * B)) / N, 1 + B / N)
  end.
End Definitions.

(** Whether row or block b of n has one after it: on the cycle all have. *)
Definition followed (periodic : bool) (n b : nat) : bool := orb periodic (Nat.ltb (S b) n).
(** The first row of block b. *)
Fixpoint offset (sizes : nat -> nat) (b : nat) : nat :=
  match b with O => O | S a => offset sizes a + sizes a end.
