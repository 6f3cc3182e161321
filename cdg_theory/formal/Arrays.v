(** What NumPy does, over any field: the language of the generated code. Nothing is proved here.

    An array is a function of its index, its length stands beside it; a loop that writes into an
    array is the iterated update. *)
From Cdg Require Import Fields.
Local Open Scope field_scope.

(** np.roll: a[next n i] and a[prev n i] stand in row i of np.roll(a, -1) and np.roll(a, 1). *)
Definition next (n i : nat) : nat := if Nat.ltb (S i) n then S i else O.
Definition prev (n i : nat) : nat := match i with O => n - 1 | S j => j end.

Section Arrays.
Context {F : field}.

Definition array := nat -> F.
(** a[i] = v *)
Definition set (a : array) (i : nat) (v : F) : array := fun j => if Nat.eqb j i then v else a j.
(** for i in range(n): state = body(i, state) *)
Fixpoint for_up {T} (n : nat) (body : nat -> T -> T) (s : T) : T :=
  match n with O => s | S m => body m (for_up m body s) end.
(** for i in reversed(range(n)): state = body(i, state) *)
Fixpoint for_down {T} (n : nat) (body : nat -> T -> T) (s : T) : T :=
  match n with O => s | S m => for_down m body (body m s) end.
(** a.sum(), n as a number of the field, a.mean() *)
Fixpoint sum (a : array) (n : nat) : F := match n with O => 0 | S m => sum a m + a m end.
Fixpoint number (n : nat) : F := match n with O => 0 | S m => number m + 1 end.
Definition mean (a : array) (n : nat) : F := sum a n / number n.
(** np.cumprod(a), a[::-1], np.append(v, a), np.power(q, np.arange(n)) *)
Fixpoint cumprod (a : array) (i : nat) : F := match i with O => a O | S j => cumprod a j * a i end.
Definition reversed (a : array) (n : nat) : array := fun i => a (n - 1 - i)%nat.
Definition append (v : F) (a : array) : array := fun i => match i with O => v | S j => a j end.
Definition power (q : F) (i : nat) : F := for_up i (fun _ s => s * q) 1.

(** SweepFactors of sweeps.py *)
Record factors := { carry : array; gain : array; closure : array; flux : option array }.

(** What a function of numbers that gives a pair gives for every row: a pair of arrays. *)
Definition by_row (f : nat -> F * F) : array * array := (fun i => fst (f i), fun i => snd (f i)).

(** Ring and CurvatureFactors of curvature.py; an array of two rows is a pair of arrays. *)
Record ring := { ring_c : F; ring_omega : F }.
Record pair_factors := { pair_ring : ring; pair_carry : array * array; pair_closure : array * array;
  seam : option (array * array); release : option (F * F) }.
End Arrays.
