(** T3 on n channels: the mean is kept, and the gradient commutes with what leaves L alone. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Loops Path Cycle Metric.
From Coq Require Import Field FinFun.
Local Open Scope field_scope.

Section Symmetry.
Context {F : field}.
Add Field field_of_F : (laws F).

Theorem mean_kept laplacian (alpha beta c : F) (k g : nat -> F) n : is_laplacian laplacian ->
  number n <> 0 :> F -> alpha <> 0 ->
  (forall i, i < n -> gram laplacian alpha beta c k n i = g i) -> mean k n = mean g n / alpha.
Proof.
  intros HL Hn Ha H. rewrite <- (mean_ext _ _ n H). unfold gram.
  unfold mean at 2. rewrite (sum_add (fun i => alpha * mean k n + beta * (k i - mean k n))),
    (sum_add (fun _ => alpha * mean k n)), sum_const, (sum_scale (fun i => k i - mean k n)),
    (sum_scale (laplacian k n)), fluctuation_sum, (laplacian_total _ HL) by auto.
  field. auto.
Qed.

Lemma path_reversed (x : nat -> F) n i : i < n ->
  path_laplacian (reversed x n) n i = path_laplacian x n (n - 1 - i).
Proof.
  intros Hi. unfold path_laplacian, reversed. destruct i as [|i].
  - rewrite Nat.sub_0_r. destruct n as [|[|n]]; [lia | reflexivity|].
    replace (S (S n) - 1)%nat with (S n) by lia. replace (S n - 1)%nat with n by lia.
    assert (Nat.ltb 1 (S (S n)) = true) as -> by (apply Nat.ltb_lt; lia).
    rewrite Nat.ltb_irrefl. ring.
  - assert (Nat.ltb (S (n - 1 - S i)) n = true) as -> by (apply Nat.ltb_lt; lia).
    replace (S (n - 1 - S i)) with (n - 1 - i)%nat by lia.
    destruct (Nat.ltb (S (S i)) n) eqn:E; [apply Nat.ltb_lt in E | apply Nat.ltb_ge in E].
    + replace (n - 1 - S i)%nat with (S (n - 1 - S (S i))) by lia. ring.
    + replace (n - 1 - S i)%nat with O by lia. ring.
Qed.
Lemma cycle_reversed (x : nat -> F) n i : i < n ->
  cycle_laplacian (reversed x n) n i = cycle_laplacian x n (n - 1 - i).
Proof.
  intros Hi. unfold cycle_laplacian, reversed.
  assert (n - 1 - prev n i = next n (n - 1 - i))%nat as ->.
  { destruct i as [|i]; cbn [prev].
    - rewrite next_last by lia. lia.
    - rewrite next_inner by lia. lia. }
  assert (n - 1 - next n i = prev n (n - 1 - i))%nat as ->; [|ring].
  destruct (Nat.eq_dec (S i) n) as [E|E].
  - rewrite next_last by auto. replace (n - 1 - i)%nat with O by lia. cbn [prev]. lia.
  - rewrite next_inner by lia. replace (n - 1 - i)%nat with (S (n - 1 - S i)) by lia.
    cbn [prev]. lia.
Qed.
Lemma cycle_rotated (x : nat -> F) n i : i < n ->
  cycle_laplacian (fun i => x (next n i)) n i = cycle_laplacian x n (next n i).
Proof.
  intros Hi. unfold cycle_laplacian. now rewrite next_prev, prev_next by auto.
Qed.
(** A relabelling s of the rows that L does not see. *)
Lemma gram_relabelled laplacian (alpha beta c : F) (s : nat -> nat) (x : nat -> F) n i :
  (forall a, sum (fun i => a (s i)) n = sum a n :> F) ->
  laplacian (fun i => x (s i)) n i = laplacian x n (s i) ->
  gram laplacian alpha beta c (fun i => x (s i)) n i = gram laplacian alpha beta c x n (s i).
Proof. intros Hs HL. unfold gram, mean. now rewrite Hs, HL. Qed.
(** Then a solver of M k = g commutes with it, if M has an inverse. *)
Lemma commutes (M : (nat -> F) -> nat -> F) (s : nat -> nat) solve n :
  (forall h k, (forall i, i < n -> M h i = M k i) -> forall i, i < n -> h i = k i) ->
  (forall x i, i < n -> M (fun i => x (s i)) i = M x (s i)) -> (forall i, i < n -> s i < n) ->
  (forall g i, i < n -> M (solve g) i = g i) ->
  forall g i, i < n -> solve (fun i => g (s i)) i = solve g (s i).
Proof.
  intros Hunique Hs Hless Hsolve g. apply (Hunique _ (fun i => solve g (s i))). intros i Hi.
  now rewrite Hs, !Hsolve by auto.
Qed.

(** A sum in another order. *)
Lemma sum_permuted (a : nat -> F) p n : permutation p n -> sum (fun i => a (p i)) n = sum a n.
Proof.
  intros [Hless Hinj].
  assert (Honto : forall j, j < n -> exists i, i < n /\ p i = j) by (apply bInjective_bSurjective; auto).
  rewrite (sum_ext a (fun j => sum (fun i => delta (p i) j * a j) n)).
  - rewrite sum_exchanged. apply sum_ext. intros i Hi.
    rewrite (sum_ext _ (fun j => delta j (p i) * a j)) by (intros; unfold delta; now rewrite Nat.eqb_sym).
    now rewrite sum_delta by auto.
  - intros j Hj. destruct (Honto j Hj) as (i & Hi & <-).
    rewrite (sum_ext _ (fun k => delta k i * a (p i))); [now rewrite (sum_delta (fun _ => a (p i)))|].
    intros k Hk. unfold delta. destruct (Nat.eqb_spec k i) as [->|Hne]; [now rewrite Nat.eqb_refl|].
    now assert (Nat.eqb (p k) (p i) = false) as -> by (apply Nat.eqb_neq; auto).
Qed.
(** T3.discrete-h0 *)
Theorem h0_permutes (alpha beta : F) g n p i : number n <> 0 :> F -> permutation p n ->
  solve_gram (fun i => g (p i)) alpha beta None n i = solve_gram g alpha beta None n (p i).
Proof.
  intros Hn Hp. destruct (solve_gram_spec g alpha beta None n Hn) as (r & Hr & _ & Hk).
  destruct (solve_gram_spec (fun i => g (p i)) alpha beta None n Hn) as (r' & Hr' & _ & Hk').
  rewrite Hk, Hk', Hr, Hr'. unfold mean. now rewrite (sum_permuted g) by auto.
Qed.
End Symmetry.

Section Commutes.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).

(** At lambda = 1 nothing is changed; for lambda beyond a bound the mean alone is left. *)
Theorem h0_limits (g : nat -> F) n i eps : 0 < n -> positive eps ->
  solve_gram g 1 1 None n i = g i /\
  exists bound, positive bound /\ forall lam, positive (lam - bound) ->
    let rest := solve_gram g 1 lam None n i - mean g n in positive (eps - rest) /\ positive (eps + rest).
Proof.
  intros Hn Heps. assert (Hone := F_1_neq_0 (laws F)).
  assert (Hk : forall lam : F, solve_gram g 1 lam None n i = mean g n / 1 + (g i - mean g n) / lam).
  { intros lam. destruct (solve_gram_spec g 1 lam None n (number_nonzero n Hn)) as (r & Hr & _ & ->).
    now rewrite Hr. }
  split; [rewrite Hk; field; exact Hone|].
  (* |r| <= 1 + r^2 in every ordered field. *)
  set (r := g i - mean g n). set (s := 1 + r * r).
  assert (Hs : positive s) by (apply positive_add_nonnegative; [apply positive_one | apply nonnegative_square]).
  assert (H : forall t, t = r \/ t = - r -> positive (s + s + t)).
  { intros t Ht. assert (s + s + t = s + ((1 + t) * (1 + t) + (1 + t * t)) / (1 + 1)) as ->.
    { assert (s = 1 + t * t) as -> by (unfold s; destruct Ht as [->| ->]; ring). field.
      apply positive_nonzero, positive_add; apply positive_one. }
    apply positive_add; auto. apply positive_div; [|apply positive_add; apply positive_one].
    rewrite (Ring_theory.Radd_comm (F_R (laws F))). apply positive_add_nonnegative; [|apply nonnegative_square].
    apply positive_add_nonnegative; [apply positive_one | apply nonnegative_square]. }
  assert (Hbound : positive ((s + s) / eps)) by auto using positive_div, positive_add.
  exists ((s + s) / eps). split; [exact Hbound|]. intros lam Hlam rest.
  assert (Hl : positive lam).
  { replace lam with ((lam - (s + s) / eps) + (s + s) / eps) by ring. now apply positive_add. }
  assert (Hfar : positive (eps * lam - (s + s))).
  { replace (eps * lam - (s + s)) with (eps * (lam - (s + s) / eps)) by (field; now apply positive_nonzero).
    now apply positive_mul. }
  assert (Hrest : rest = r / lam) by (unfold rest, r; rewrite Hk; field; split; auto using positive_nonzero).
  rewrite Hrest. split.
  - replace (eps - r / lam) with ((eps * lam - (s + s) + (s + s + - r)) / lam)
      by (field; now apply positive_nonzero).
    apply positive_div; auto. apply positive_add; auto.
  - replace (eps + r / lam) with ((eps * lam - (s + s) + (s + s + r)) / lam)
      by (field; now apply positive_nonzero).
    apply positive_div; auto. apply positive_add; auto.
Qed.

Lemma gram_commutes laplacian differences (alpha beta c : F) (s : nat -> nat) solve n :
  is_laplacian laplacian -> by_parts laplacian differences -> squares differences ->
  positive alpha -> nonnegative beta -> positive c ->
  (forall a, sum (fun i => a (s i)) n = sum a n :> F) -> (forall i, i < n -> s i < n) ->
  (forall x i, i < n -> laplacian (fun i => x (s i)) n i = laplacian x n (s i) :> F) ->
  (forall g i, i < n -> gram laplacian alpha beta c (solve g) n i = g i) ->
  forall g i, i < n -> solve (fun i => g (s i)) i = solve g (s i).
Proof.
  intros HL Hparts Hsquares Ha Hb Hc Hs Hless Hcommutes.
  apply (commutes (fun x i => gram laplacian alpha beta c x n i)); auto.
  - intros h k. apply (unique laplacian differences HL Hparts Hsquares); auto using nonnegative_positive.
    replace (beta + c) with (c + beta) by ring. now apply positive_add_nonnegative.
  - intros. now apply gram_relabelled; auto.
Qed.

Theorem path_commutes (alpha beta c : F) (g : nat -> F) n :
  positive alpha -> nonnegative beta -> positive c -> 0 < n ->
  let solve g := solve_gram g alpha beta (Some (path_factors beta c n)) n in
  forall i, i < n -> solve (reversed g n) i = reversed (solve g) n i.
Proof.
  intros Ha Hb Hc Hn solve. apply (gram_commutes path_laplacian path_differences alpha beta c
    (fun i => n - 1 - i)%nat solve n); auto using path_is_laplacian, path_by_parts, path_squares.
  - intros a. apply sum_reversed.
  - intros. lia.
  - intros x i Hi. now apply path_reversed.
  - intros. now apply sweeps_path_ordered.
Qed.
Theorem cycle_commutes (alpha beta c E : F) (g : nat -> F) n :
  positive alpha -> nonnegative E -> positive c -> beta * (c + E) = E * E -> nonnegative beta -> 0 < n ->
  let solve g := solve_gram g alpha beta (Some (cycle_factors c E n)) n in
  forall i, i < n -> solve (reversed g n) i = reversed (solve g) n i /\
    solve (fun i => g (next n i)) i = solve g (next n i).
Proof.
  intros Ha HE Hc Hbeta Hb Hn solve i Hi.
  assert (Hsolve : forall g i, i < n -> gram cycle_laplacian alpha beta c (solve g) n i = g i)
    by (intros; now apply sweeps_cycle).
  split.
  - apply (gram_commutes cycle_laplacian cycle_differences alpha beta c (fun i => n - 1 - i)%nat solve n);
      auto using cycle_is_laplacian, cycle_by_parts, cycle_squares.
    + intros a. apply sum_reversed.
    + intros. lia.
    + intros x j Hj. now apply cycle_reversed.
  - apply (gram_commutes cycle_laplacian cycle_differences alpha beta c (next n) solve n);
      auto using cycle_is_laplacian, cycle_by_parts, cycle_squares, sum_next, next_less.
    intros x j Hj. now apply cycle_rotated.
Qed.
End Commutes.
