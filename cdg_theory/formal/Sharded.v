(** [shard_plan], [solve_ends] and [solve_blocks] of blocks.py for the path, put together by hand from
    the translated [split_mean], [solve_alone], [solve_path] and [finish_block]: lists of arrays are
    outside of the translator's language. Drawn values tie this file to the code. *)
From Cdg Require Import Fields Arrays Code Definitions.
Local Open Scope field_scope.

Section Sharded.
Context {F : field}.
Local Notation array := (nat -> F).
Variables (alpha beta c : F) (sizes : nat -> nat) (count : nat) (g : array).

(** The blocks' own numbers: responses, resistances, transmissions. *)
Definition alone (size : nat) (w : array) : array := solve_alone w beta c size.
Definition response (size : nat) : array := alone size (snd (split_mean (fun i => delta i O) size)).
Definition u_first (b : nat) : F := response (sizes b) O.
Definition u_last (b : nat) : F := response (sizes b) (sizes b - 1)%nat.
Definition rows (b : nat) : F := number (sizes b).
Definition kappa (b : nat) : F := - u_last b.
Definition rho (b : nat) : F := u_first b - u_last b.
Definition tau (b : nat) : F := 1 + beta * rows b * u_last b.
Definition conductance (b : nat) : F := c / (1 + c * rho b + c * rho (S b)).

(** What the blocks hand over: means and two dot products with the fluctuation. *)
Definition own (b : nat) : array := fun i => g (offset sizes b + i).
Definition block_mean (b : nat) : F := fst (split_mean (own b) (sizes b)).
Definition fluctuation (b : nat) : array := snd (split_mean (own b) (sizes b)).
Definition near (b : nat) : F := sum (fun i => response (sizes b) i * fluctuation b i) (sizes b).
Definition far (b : nat) : F :=
  sum (fun i => reversed (response (sizes b)) (sizes b) i * fluctuation b i) (sizes b).

(** The whole mean, taken off twice. *)
Definition n : nat := offset sizes count.
Definition weighed (x : array) : F := sum (fun b => rows b / number n * x b) count.
Definition first_mean : F := weighed block_mean.
Definition rest : F := weighed (fun b => block_mean b - first_mean).
Definition whole_mean : F := first_mean + rest.
Definition off (b : nat) : F := block_mean b - first_mean - rest.

(** Levels and fluxes, and the rows of each block. *)
Definition s_near (b : nat) : F := rows b * kappa b * off b + near b.
Definition s_far (b : nat) : F := rows b * kappa b * off b + far b.
Definition levels_and_fluxes : array * array :=
  solve_path (fun b => rows b * off b) (fun b => s_far b - s_near (S b)) rows tau conductance beta
    (c / number n) count.
Definition sharded (b : nat) : array := fun i =>
  let '(level, flux) := levels_and_fluxes in
  whole_mean / alpha
  + finish_block (fluctuation b) (level b, inflow flux b, - outflow flux count b)
      (alone (sizes b)) (sizes b) i.
End Sharded.
