(** T5.sweeps-cycle: two first-order recursions, each closed by its constraint. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order Loops Path.
Require Import Field.
Local Open Scope field_scope.

Section Cycle.
Context {F : field}.
Add Field field_of_F : (laws F).

(** All rows but the one wrapped around, and the sums, give that one. *)
Lemma wrapped_next (u v : nat -> F) q n : sum u n = 0 -> sum v n = 0 ->
  (forall i, S i < n -> u (S i) - q * u i = v (S i)) ->
  forall i, i < n -> u i - q * u (prev n i) = v i.
Proof.
  intros Hu Hv H i Hi. destruct i as [|i]; [|apply H; lia].
  destruct n as [|n]; [lia|]. apply sub_zero.
  assert (E : sum (fun i => u i - q * u (prev (S n) i) - v i) (S n) = 0).
  { rewrite (sum_sub (fun i => u i - q * u (prev (S n) i))), (sum_sub u), Hu, Hv,
      (sum_scale (fun i => u (prev (S n) i))), sum_prev, Hu. ring. }
  rewrite sum_first, (sum_zero (fun i => u (S i) - q * u (prev (S n) (S i)) - v (S i))) in E.
  - rewrite <- E. ring.
  - intros i Hj. simpl. rewrite H by lia. ring.
Qed.
Lemma wrapped_prev (u v : nat -> F) q n : sum u n = 0 -> sum v n = 0 ->
  (forall i, S i < n -> u i - q * u (S i) = v i) ->
  forall i, i < n -> u i - q * u (next n i) = v i.
Proof.
  intros Hu Hv H i Hi. apply sub_zero.
  apply (last_row (fun i => u i - q * u (next n i) - v i) n); auto.
  - intros j Hj. rewrite next_inner, H by lia. ring.
  - rewrite (sum_sub (fun i => u i - q * u (next n i))), (sum_sub u), Hu, Hv,
      (sum_scale (fun i => u (next n i))), sum_next, Hu. ring.
Qed.

Theorem cycle_fluctuation (beta c E : F) (r : nat -> F) n :
  c + E <> 0 -> beta * (c + E) = E * E -> sum (power (c / (c + E))) n <> 0 -> sum r n = 0 ->
  let x := solve_fluctuation r (cycle_factors c E n) n in
  sum x n = 0 /\ forall i, i < n -> operator cycle_laplacian beta c x n i = r i.
Proof.
  intros Hpivot Hbeta Hpowers Hr. cbn zeta.
  destruct (cycle_factors_spec c E n Hpivot) as (Hcarry & Hgain & Hclosure & w & Hflux & Hw).
  destruct (solve_fluctuation_spec r (cycle_factors c E n) n)
    as (y & y' & z & _ & Hy & Hy' & Hz & _ & Hx).
  set (f := cycle_factors c E n) in *. set (x := solve_fluctuation r f n) in *.
  set (q := c / (c + E)) in *. rewrite Hflux in Hy'.
  set (h := fun i => power q i / sum (power q) n) in *.
  assert (Hh : sum h n = 1) by now apply sum_scaled.
  assert (Hstep : forall i, h (S i) = q * h i) by (intros; unfold h; rewrite power_step; now field).
  assert (Hy'' : forall i, y' i = y i - sum y n * h i) by (intros; rewrite Hy', Hw; reflexivity).
  assert (Hysum : sum y' n = 0).
  { rewrite (sum_ext y' _ n (fun i _ => Hy'' i)), (sum_sub y), (sum_scale h), Hh. ring. }
  assert (Hback : forall i, i < n -> y' i - q * y' (prev n i) = r i).
  { apply wrapped_next; auto. intros i Hi. rewrite !Hy'', Hy, Hcarry, Hstep by auto. ring. }
  assert (Hx' : forall i, i < n -> x i = z i - sum z n * reversed h n i)
    by (intros; rewrite Hx, Hclosure by auto; reflexivity).
  assert (Hxsum : sum x n = 0).
  { rewrite (sum_ext x _ n Hx'), (sum_sub z), (sum_scale (reversed h n)), sum_reversed, Hh. ring. }
  split; [exact Hxsum|].
  set (a := fun i => 1 / (c + E) * y' i).
  assert (Hu : forall i, i < n -> x i - q * x (next n i) = a i).
  { apply wrapped_prev; auto.
    - unfold a. rewrite (sum_scale y'), Hysum. ring.
    - intros i Hi. rewrite !Hx', Hz, Hcarry, Hgain by lia. unfold reversed.
      replace (n - 1 - i)%nat with (S (n - 1 - S i)) by lia. rewrite Hstep. unfold a. ring. }
  intros i Hi. assert (H1 := Hu i Hi). assert (H2 := Hu _ (prev_less n i Hi)).
  rewrite next_prev in H2 by auto. unfold a in H1, H2. rewrite <- (Hback i Hi).
  assert (y' i = (c + E) * (x i - q * x (next n i))) as -> by (rewrite H1; now field).
  assert (y' (prev n i) = (c + E) * (x (prev n i) - q * x i)) as -> by (rewrite H2; now field).
  assert (beta = E * E / (c + E)) as -> by (rewrite <- Hbeta; now field).
  unfold operator, cycle_laplacian, q. now field.
Qed.
End Cycle.

Section Ordered.
Context {F : ordered}.
Add Field field_of_ordered : (laws F).

(** T5.sweeps-cycle. The code's [solve_gram] does not read beta there. *)
Theorem sweeps_cycle (alpha beta code_beta c E : F) (g : nat -> F) n :
  positive alpha -> nonnegative E -> positive c -> beta * (c + E) = E * E -> 0 < n ->
  let k := solve_gram g alpha code_beta (Some (cycle_factors c E n)) n in
  mean k n = mean g n / alpha /\ forall i, i < n -> gram cycle_laplacian alpha beta c k n i = g i.
Proof.
  intros Ha HE Hc Hbeta Hn. assert (Hpivot : positive (c + E)) by now apply positive_add_nonnegative.
  apply gram_of_fluctuation; auto using cycle_is_laplacian, positive_nonzero, number_nonzero.
  intros r Hr. apply cycle_fluctuation; auto using positive_nonzero.
  apply positive_nonzero, sum_positive; auto. intros j _. induction j as [|j IH].
  - apply positive_one.
  - rewrite power_step. apply positive_mul; auto. now apply positive_div.
Qed.
End Ordered.
