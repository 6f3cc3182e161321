(** The real numbers: the weights of the production code, with the square root of the cycle. *)
From Cdg Require Import Fields Arrays Code Definitions Order Cycle.
Require Import Reals Lra Psatz.

Definition real_is_zero (x : R) : bool := if Req_EM_T x 0 then true else false.
Lemma real_is_zero_spec x : real_is_zero x = true <-> x = 0%R.
Proof. unfold real_is_zero. destruct (Req_EM_T x 0); split; auto; discriminate. Qed.
Definition reals : ordered.
Proof.
  refine (Ordered (Field R 0%R 1%R Rplus Rmult Rminus Ropp Rdiv Rinv Rfield
    real_is_zero real_is_zero_spec)
    (fun x : R => (0 < x)%R) Rplus_lt_0_compat Rmult_lt_0_compat (Rlt_irrefl 0) _).
  intros x. destruct (Rtotal_order x 0) as [H|[H|H]]; [right; right | left | right; left]; auto.
  now apply Ropp_0_gt_lt_contravar.
Defined.

(** The code's root: E >= 0 with E^2 = beta (c + E). *)
Definition excess_of (beta c : R) : R := cycle_excess (F := reals) sqrt beta c.
Lemma excess_of_spec beta c : (0 <= beta)%R -> (0 < c)%R -> (0 <= excess_of beta c)%R /\
  (beta * (c + excess_of beta c) = excess_of beta c * excess_of beta c)%R.
Proof.
  intros Hb Hc.
  assert (excess_of beta c = beta / 2 + sqrt beta * sqrt (c + beta / 4))%R as ->.
  { unfold excess_of, cycle_excess. cbn [number add div mul zero one reals base carrier].
    replace (0 + 1 + 1)%R with 2%R by ring. replace (2 + 1 + 1)%R with 4%R by ring. ring. }
  assert (H1 := sqrt_sqrt beta Hb). assert (H2 := sqrt_sqrt (c + beta / 4) ltac:(lra)).
  assert (H3 := sqrt_pos beta). assert (H4 := sqrt_pos (c + beta / 4)). split; [nra|].
  set (s := sqrt beta) in *. set (t := sqrt (c + beta / 4)) in *. clearbody s t.
  assert (Hc' : c = (t * t - s * s / 4)%R) by lra. rewrite Hc', <- H1. field.
Qed.

Theorem real_cycle (alpha beta c : R) (g : nat -> R) n : (0 < alpha)%R -> (0 <= beta)%R -> (0 < c)%R ->
  0 < n ->
  let k := solve_gram (F := reals) g alpha beta
    (Some (cycle_factors (F := reals) c (cycle_excess (F := reals) sqrt beta c) n)) n in
  forall i, i < n -> gram (F := reals) cycle_laplacian alpha beta c k n i = g i.
Proof.
  intros Ha Hb Hc Hn k i Hi. destruct (excess_of_spec beta c Hb Hc) as [HE Hroot].
  refine (proj2 (sweeps_cycle (F := reals) alpha beta beta c _ g n Ha _ Hc Hroot Hn) i Hi).
  destruct HE as [H|H]; [right; exact H | left; symmetry; exact H].
Qed.
