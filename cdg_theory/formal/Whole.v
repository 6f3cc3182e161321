(** T11: for every split of the path's rows the blocks' results are the whole's. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Loops Path Blocks Sharded Flux.
Require Import Field.
Local Open Scope field_scope.

Section Whole.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).
Variables (alpha beta c : F) (sizes : nat -> nat) (count : nat) (g : nat -> F).
Hypothesis Ha : positive alpha.
Hypothesis Hb : nonnegative beta.
Hypothesis Hc : positive c.
Hypothesis Hsizes : forall b, 0 < sizes b.
Hypothesis Hcount : 0 < count.
Local Notation n := (offset sizes count).
Local Notation o := (off sizes count g).
Local Notation f := (fluctuation sizes g).

Lemma rows_positive b : positive (rows sizes b : F).
Proof.
  unfold rows. specialize (Hsizes b). destruct (sizes b); [lia | apply positive_number].
Qed.
Lemma n_positive : positive (number n : F).
Proof.
  rewrite number_offset. apply sum_positive; auto. intros. apply rows_positive.
Qed.
Lemma block_spec b : block_mean sizes g b = mean (own sizes g b) (sizes b) /\
  (forall i, f b i = own sizes g b i - block_mean sizes g b) /\ sum (f b) (sizes b) = 0.
Proof.
  destruct (split_mean_spec (own sizes g b) (sizes b) (number_nonzero _ (Hsizes b))) as (H1 & H2 & H3).
  split; [exact H1|]. split; [|exact H3]. intros i. unfold fluctuation, block_mean. rewrite H1. apply H2.
Qed.
Lemma means : whole_mean sizes count g = mean g n /\ (forall b, o b = block_mean sizes g b - mean g n) /\
  sum (fun b => rows sizes b * o b) count = 0.
Proof.
  assert (Hn := positive_nonzero _ n_positive).
  assert (Hfirst : first_mean sizes count g = mean g n).
  { unfold first_mean, weighed, mean at 1. unfold Sharded.n. rewrite (sum_blocks g).
    rewrite (sum_ext _ (fun b => 1 / number n * sum (fun i => g (offset sizes b + i)%nat) (sizes b))).
    - rewrite (sum_scale (fun b => sum (fun i => g (offset sizes b + i)%nat) (sizes b))). field. auto.
    - intros b _. destruct (block_spec b) as [-> _]. unfold rows, mean, own. field.
      split; auto using number_nonzero. }
  assert (Hweights : sum (fun b => rows sizes b) count = number n :> F)
    by (rewrite number_offset; reflexivity).
  assert (Hrest : rest sizes count g = 0).
  { unfold rest. transitivity (first_mean sizes count g - first_mean sizes count g); [|ring].
    unfold weighed at 1. rewrite (sum_ext _ (fun b => rows sizes b / number n * block_mean sizes g b
      - first_mean sizes count g / number n * rows sizes b))
      by (intros; unfold Sharded.n; field; auto).
    rewrite (sum_sub (fun b => rows sizes b / number n * block_mean sizes g b)),
      (sum_scale (fun b => rows sizes b)), Hweights.
    change (sum (fun b => rows sizes b / number n * block_mean sizes g b) count)
      with (first_mean sizes count g). field. auto. }
  assert (Hoff : forall b, o b = block_mean sizes g b - mean g n)
    by (intros; unfold off; rewrite Hrest, Hfirst; ring).
  split; [unfold whole_mean; rewrite Hrest, Hfirst; ring|]. split; [exact Hoff|].
  rewrite (sum_ext _ (fun b => rows sizes b * block_mean sizes g b - mean g n * rows sizes b))
    by (intros; rewrite Hoff; ring).
  rewrite (sum_sub (fun b => rows sizes b * block_mean sizes g b)), (sum_scale (fun b => rows sizes b)),
    Hweights, (sum_ext (fun b => rows sizes b * block_mean sizes g b)
      (fun b => sum (fun i => g (offset sizes b + i)%nat) (sizes b))).
  - rewrite <- sum_blocks. unfold mean. field. auto.
  - intros b _. destruct (block_spec b) as [-> _]. unfold rows, mean, own. field.
    now apply number_nonzero.
Qed.

(** Every divisor is positive. *)
Lemma rho_nonnegative b : nonnegative (rho beta c sizes b).
Proof. unfold rho, u_first, u_last. now apply resistance. Qed.
Lemma tau_positive b : positive (tau beta c sizes b).
Proof. unfold tau, u_last, rows. now apply transmission. Qed.
Lemma inner_positive b : positive (1 + c * rho beta c sizes b + c * rho beta c sizes (S b)).
Proof.
  repeat apply positive_add_nonnegative; [apply positive_one | |];
    apply nonnegative_mul; auto using rho_nonnegative, nonnegative_positive.
Qed.
Lemma conductance_positive b : positive (conductance beta c sizes b).
Proof. unfold conductance. apply positive_div; auto using inner_positive. Qed.

Lemma outward (x y z : F) : x + y - z = x + y + - z.
Proof. ring. Qed.
Theorem sharded_whole (k : nat -> F) :
  (forall b i, b < count -> i < sizes b ->
    k (offset sizes b + i)%nat = sharded alpha beta c sizes count g b i) ->
  forall i, i < n -> gram path_laplacian alpha beta c k n i = g i.
Proof.
  intros Hk. destruct means as (Hmean & Hoff & Hbalance). assert (Hn := positive_nonzero _ n_positive).
  unfold sharded in Hk. assert (Hsolves := solve_path_ordered (fun b => rows sizes b * o b)
    (fun b => s_far beta c sizes count g b - s_near beta c sizes count g (S b)) (rows sizes)
    (tau beta c sizes) (conductance beta c sizes) beta (c / number n) count
    rows_positive tau_positive conductance_positive Hb (positive_div _ _ Hc n_positive) Hcount Hbalance).
  unfold levels_and_fluxes, Sharded.n in Hk. destruct (solve_path _ _ _ _ _ _ _ _) as [level flux].
  cbn beta iota in Hk. destruct Hsolves as (Hrows & Hlinks & Hsum).
  set (x := fun j => k j - whole_mean sizes count g / alpha).
  set (own_x := fun b => finish_block (f b) (level b, inflow flux b, - outflow flux count b)
    (alone beta c (sizes b)) (sizes b)).
  assert (Hx : forall b i, b < count -> i < sizes b -> x (offset sizes b + i)%nat = own_x b i)
    by (intros; unfold x; rewrite Hk by auto; unfold own_x; ring).
  assert (Hends := fun b Hlt => block_ends beta c (sizes b) Hb Hc (Hsizes b) (f b) (o b) (level b)
    (inflow flux b) (- outflow flux count b) (proj2 (proj2 (block_spec b)))
    (eq_trans (Hrows b Hlt) (outward _ _ _))).
  cbn zeta in Hends.
  (* The interfaces: what the small system says of the fluxes is what they are. *)
  assert (Hflux : forall b, S b < count ->
    c * (x (offset sizes (S b) - 1)%nat - x (offset sizes (S b))) = flux b).
  { intros b Hlt. destruct (Hends b ltac:(lia)) as (_ & _ & _ & Hlast).
    destruct (Hends (S b) Hlt) as (_ & _ & Hfirst & _).
    assert (H1 : x (offset sizes (S b) - 1)%nat = own_x b (sizes b - 1)%nat).
    { rewrite <- Hx by (specialize (Hsizes b); lia). f_equal. cbn [offset]. specialize (Hsizes b). lia. }
    assert (H2 : x (offset sizes (S b)) = own_x (S b) O).
    { rewrite <- Hx by auto. now rewrite Nat.add_0_r. }
    rewrite H1, H2. unfold own_x. rewrite Hlast, Hfirst. cbn [inflow].
    assert (outflow flux count b = flux b) as ->
      by (unfold outflow; now apply Nat.ltb_lt in Hlt as ->).
    assert (Hlink := Hlinks b Hlt). unfold conductance in Hlink.
    assert (Hd := positive_nonzero _ (inner_positive b)).
    fold (u_last beta c sizes b) (u_last beta c sizes (S b)) (u_first beta c sizes b)
      (u_first beta c sizes (S b)) in *.
    fold (near beta c sizes g (S b)) (far beta c sizes g b).
    fold (rho beta c sizes b) (rho beta c sizes (S b)). fold (rows (F := F) sizes b) (rows (F := F) sizes (S b)).
    fold (tau beta c sizes b) (tau beta c sizes (S b)).
    fold (kappa beta c sizes b) (kappa beta c sizes (S b)).
    unfold s_far, s_near in Hlink. apply sub_zero.
    set (d := 1 + c * rho beta c sizes b + c * rho beta c sizes (S b)) in *.
    assert (Hlink' : d * flux b = c * (tau beta c sizes b * level b
      - tau beta c sizes (S b) * level (S b)
      + (rows sizes b * kappa beta c sizes b * o b + far beta c sizes g b
        - (rows sizes (S b) * kappa beta c sizes (S b) * o (S b) + near beta c sizes g (S b)))))
      by (rewrite Hlink; field; exact Hd).
    transitivity (c * (tau beta c sizes b * level b - tau beta c sizes (S b) * level (S b)
      + (rows sizes b * kappa beta c sizes b * o b + far beta c sizes g b
        - (rows sizes (S b) * kappa beta c sizes (S b) * o (S b) + near beta c sizes g (S b))))
      - d * flux b); [unfold d; ring | rewrite Hlink'; ring]. }
  assert (Hxsum : sum x n = 0).
  { rewrite sum_blocks, (sum_ext _ (fun b => rows sizes b * level b)); [exact Hsum|].
    intros b Hlt. destruct (Hends b Hlt) as (Hs & _).
    rewrite (sum_ext _ (own_x b)) by (intros; now apply Hx). exact Hs. }
  assert (Hop : forall j, j < n -> operator path_laplacian beta c x n j = g j - mean g n).
  { intros j Hj. destruct (offset_cover _ _ _ Hj) as (b & i & Hlt & Hi & ->).
    rewrite restriction by auto. rewrite (operator_ext path_laplacian path_is_laplacian beta c
      (fun i => x (offset sizes b + i)%nat) (own_x b)) by (auto; intros; now apply Hx).
    destruct (Hends b Hlt) as (_ & Hr & _). unfold own_x at 1. rewrite Hr by auto.
    assert (inflow (fun b => c * (x (offset sizes (S b) - 1)%nat - x (offset sizes (S b)))) b
      = inflow flux b) as -> by (destruct b as [|a]; cbn [inflow]; auto).
    assert (outflow (fun b => c * (x (offset sizes (S b) - 1)%nat - x (offset sizes (S b)))) count b
      = outflow flux count b) as ->.
    { unfold outflow. destruct (Nat.ltb_spec (S b) count); auto. }
    destruct (block_spec b) as (_ & Hf & _). rewrite Hf, Hoff. unfold own. ring. }
  intros i Hi. rewrite (gram_ext path_laplacian path_is_laplacian alpha beta c k
    (fun j => whole_mean sizes count g / alpha + x j)) by (auto; intros; unfold x; ring).
  rewrite gram_split, Hop, Hmean by auto using path_is_laplacian. field. now apply positive_nonzero.
Qed.
End Whole.
