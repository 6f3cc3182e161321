(** [solve_blocks] of blocks.py, put together by hand from the translated [split_mean], [solve_alone],
    [split_offsets], [solve_network] and [finish_block]: lists of arrays are outside of the
    translator's language. Drawn values tie this file to the code. *)
From Cdg Require Import Fields Arrays Code Definitions.
Local Open Scope field_scope.

Section Sharded.
Context {F : field}.
Local Notation array := (nat -> F).
Variables (periodic : bool) (alpha beta c : F).

(** A block's solver, and its response to a unit inflow at its first row. *)
Definition alone (size : nat) (w : array) : array := solve_alone w beta c size.
Definition response (size : nat) : array := alone size (snd (split_mean (fun i => delta i O) size)).

Section Blocks.
Variables (sizes : nat -> nat) (count : nat) (g : array).
Definition first (b : nat) : F := response (sizes b) O.
Definition last (b : nat) : F := response (sizes b) (sizes b - 1)%nat.
Definition rows (b : nat) : F := number (sizes b).
Definition total : F := number (offset sizes count).

(** What the blocks hand over: means and two dot products with the fluctuation. *)
Definition own (b : nat) : array := fun i => g (offset sizes b + i).
Definition block_mean (b : nat) : F := fst (split_mean (own b) (sizes b)).
Definition fluctuation (b : nat) : array := snd (split_mean (own b) (sizes b)).
Definition near (b : nat) : F := sum (fun i => response (sizes b) i * fluctuation b i) (sizes b).
Definition far (b : nat) : F :=
  sum (fun i => reversed (response (sizes b)) (sizes b) i * fluctuation b i) (sizes b).

(** What they are told, and the rows of each. *)
Definition offsets : F * array := split_offsets block_mean (fun b => rows b / total) count.
Definition told : array * array * array :=
  let o := snd offsets in
  if is_zero c then (fun b => o b / beta, fun _ => 0, fun _ => 0)
  else solve_network o near far rows first last beta c (c / total) periodic count.
Definition solved (b : nat) : array := fun i =>
  let '(level, left_, right_) := told in
  fst offsets / alpha
  + finish_block (fluctuation b) (level b, left_ b, right_ b) (alone (sizes b)) (sizes b) i.
End Blocks.

(** Blocks without rows are left out: how many with rows there are before block b, and the size of
    the one with rows that has b of them before it. *)
Fixpoint before (sizes : nat -> nat) (b : nat) : nat :=
  match b with O => O | S a => before sizes a + (if Nat.ltb 0 (sizes a) then 1 else 0) end.
Fixpoint kept (sizes : nat -> nat) (count b : nat) : nat :=
  match count with
  | O => 1
  | S a => if (Nat.ltb 0 (sizes a) && Nat.eqb (before sizes a) b)%bool then sizes a else kept sizes a b
  end.
Definition sharded (sizes : nat -> nat) (count : nat) (g : array) (b : nat) : array :=
  solved (kept sizes count) (before sizes count) g (before sizes b).
End Sharded.
