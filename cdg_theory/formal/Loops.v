(** What the generated functions of sweeps.py compute, one after the other. This is the file that a
    change of sweeps.py meets first: it says in equations what each function gives. *)
From Cdg Require Import Fields Arrays Code Definitions Sums.
Require Import Field.
Local Open Scope field_scope.

Section Loops.
Context {F : field}.
Add Field field_of_F : (laws F).

Lemma eliminate_row_spec (beta c E : F) :
  fst (eliminate_row beta c E) = c / (c + E) /\
  snd (eliminate_row beta c E) = beta + c / (c + E) * E.
Proof.
  assert (H : fst (eliminate_row beta c E) = c / (c + E))
    by (unfold eliminate_row; simpl; first [reflexivity | f_equal; ring]).
  split; [exact H|]. rewrite <- H. unfold eliminate_row. simpl. ring.
Qed.

Lemma path_pivots_spec (beta c : F) n :
  (forall i, i < n -> fst (path_pivots beta c n) i = excess beta c i) /\
  (forall i, i < n -> snd (path_pivots beta c n) i = path_carry beta c i).
Proof.
  unfold path_pivots. match goal with |- context [for_up n ?step ?first] =>
    set (body := step); set (start := first) end.
  assert (H : forall m, (forall i, i <= m -> fst (for_up m body start) i = excess beta c i) /\
    (forall i, i < m -> snd (for_up m body start) i = path_carry beta c i)).
  { induction m as [|m [IHe IHp]].
    - split; [|lia]. intros i Hi. replace i with O by lia. reflexivity.
    - cbn [for_up]. destruct (for_up m body start) as [e p]. cbn [fst snd] in *.
      unfold body. destruct (eliminate_row_spec beta c (e m)) as [H1 H2].
      destruct (eliminate_row beta c (e m)) as [q following]. cbn [fst snd Nat.add] in *.
      rewrite IHe in H1, H2 by lia. split; intros i Hi.
      + destruct (Nat.eq_dec i (S m)) as [->|Hne].
        * now rewrite set_same, H2.
        * rewrite set_other by lia. apply IHe. lia.
      + destruct (Nat.eq_dec i m) as [->|Hne].
        * now rewrite set_same, H1.
        * rewrite set_other by lia. apply IHp. lia. }
  specialize (H n). destruct (for_up n body start) as [e p]. cbn [fst snd] in *.
  split; intros i Hi; apply H; lia.
Qed.

Lemma homogeneous_last (beta c : F) n : path_homogeneous beta c (S n) n = 1.
Proof. unfold path_homogeneous. replace (S n - 1 - n)%nat with 0%nat by lia. reflexivity. Qed.
Lemma homogeneous_step (beta c : F) n i : i < n ->
  path_homogeneous beta c (S n) i = path_carry beta c i * path_homogeneous beta c (S n) (S i).
Proof.
  intros Hi. unfold path_homogeneous. replace (S n - 1 - i)%nat with (S (S n - 1 - S i)) by lia.
  cbn [for_up]. replace (S n - 2 - (S n - 1 - S i))%nat with i by lia. reflexivity.
Qed.
Lemma homogeneous_spec (beta c one : F) (p : nat -> F) n : one = 1 ->
  (forall i, i < n -> p i = path_carry beta c i) -> forall i, i < S n ->
  reversed (cumprod (append one (reversed p n))) (S n) i = path_homogeneous beta c (S n) i.
Proof.
  intros Hone Hp. enough (H : forall i, i < S n ->
    reversed (cumprod (append one (reversed p (S n - 1)))) (S n) i = path_homogeneous beta c (S n) i)
    by (replace (S n - 1)%nat with n in H by lia; exact H).
  intros i Hi. remember (n - i)%nat as d eqn:Hd. revert i Hi Hd.
  induction d as [|d IH]; intros i Hi Hd; unfold reversed at 1.
  - replace i with n by lia. rewrite homogeneous_last. replace (S n - 1 - n)%nat with 0%nat by lia.
    exact Hone.
  - rewrite homogeneous_step, <- IH by lia. replace (S n - 1 - i)%nat with (S (S n - 1 - S i)) by lia.
    set (q := append _ _). change (cumprod q (S n - 1 - S i) * q (S (S n - 1 - S i))
      = path_carry beta c i * cumprod q (S n - 1 - S i)).
    unfold q at 2, append, reversed. replace (S n - 1 - 1 - (S n - 1 - S i))%nat with i by lia.
    rewrite Hp by lia. ring.
Qed.

Lemma path_factors_spec (beta c : F) n : c <> 0 -> let f := path_factors beta c (S n) in
  flux f = None /\ (forall i, i < n -> carry f i = path_carry beta c i) /\
  (forall i, i < n -> gain f i = 1 / (c + excess beta c i)) /\ gain f n = 0 /\
  forall i, i < S n -> closure f i
    = path_homogeneous beta c (S n) i / sum (path_homogeneous beta c (S n)) (S n).
Proof.
  intros Hc. cbn zeta. unfold path_factors. destruct (path_pivots_spec beta c (S n)) as [He Hp].
  destruct (path_pivots beta c (S n)) as [e p]. cbn [fst snd flux carry gain closure] in *.
  replace (S n - 1)%nat with n by lia. repeat split.
  - intros i Hi. apply Hp. lia.
  - intros i Hi. rewrite set_other, He by lia. first [reflexivity | f_equal; ring].
  - apply set_same.
  - match goal with |- context [append ?one _] =>
      assert (H := homogeneous_spec beta c one p n ltac:(now field) ltac:(intros; apply Hp; lia)) end.
    intros i Hi. now rewrite H, (sum_ext _ _ (S n) H).
Qed.

Lemma power_step (q : F) i : power q (S i) = power q i * q.
Proof. reflexivity. Qed.
Lemma cycle_factors_spec (c E : F) n : c + E <> 0 -> let f := cycle_factors c E n in
  let q := c / (c + E) in let h := fun i => power q i / sum (power q) n in
  (forall i, carry f i = q) /\ (forall i, gain f i = 1 / (c + E)) /\
  (forall i, i < n -> closure f i = reversed h n i) /\
  exists w, flux f = Some w /\ forall i, w i = h i.
Proof.
  intros HE. cbn zeta. unfold cycle_factors. cbn [flux carry gain closure].
  replace (E + c) with (c + E) by ring. repeat split. eexists. split; [reflexivity|]. reflexivity.
Qed.

Lemma carry_forward_spec (r p : nat -> F) n : let y := carry_forward r p n in
  y O = r O /\ forall i, S i < n -> y (S i) = r (S i) + p i * y i.
Proof.
  unfold carry_forward. destruct n as [|n]; simpl; [split; [auto | lia]|]. rewrite Nat.sub_0_r.
  match goal with |- context [for_up _ ?step _] => set (body := step) end.
  assert (H : forall m, let y := for_up m body r in y O = r O /\
    (forall i, i < m -> y (S i) = r (S i) + p i * y i) /\ (forall i, m < i -> y i = r i)).
  { induction m as [|m [IH0 [IHlow IHhigh]]]; cbn zeta; simpl; [split; [|split]; auto; lia|].
    set (y := for_up m body r) in *. unfold body. repeat split.
    - rewrite set_other by lia. auto.
    - intros i Hi. destruct (Nat.eq_dec i m) as [->|Hne].
      + rewrite set_same, ?set_other by lia. rewrite IHhigh by lia. ring.
      + rewrite !set_other by lia. apply IHlow. lia.
    - intros i Hi. rewrite set_other by lia. apply IHhigh. lia. }
  destruct (H n) as [H0 [Hlow _]]. split; [exact H0 | intros i Hi; apply Hlow; lia].
Qed.

Lemma carry_backward_spec (a p : nat -> F) n : let x := carry_backward a p n in
  (forall i, S i < n -> x i = a i + p i * x (S i)) /\ x (n - 1)%nat = a (n - 1)%nat.
Proof.
  unfold carry_backward. match goal with |- context [for_down _ ?step _] => set (body := step) end.
  assert (H : forall m b, let x := for_down m body b in
    (forall i, i < m -> x i = b i + p i * x (S i)) /\ (forall i, m <= i -> x i = b i)).
  { induction m as [|m IH]; intros b; cbn zeta; simpl; [split; [lia | auto]|].
    destruct (IH (body m b)) as [Hlow Hhigh].
    assert (Hm : for_down m body (body m b) m = b m + p m * b (S m)).
    { rewrite Hhigh by lia. unfold body. rewrite set_same. ring. }
    assert (Hafter : forall i, S m <= i -> for_down m body (body m b) i = b i).
    { intros i Hi. rewrite Hhigh by lia. unfold body. apply set_other. lia. }
    split; [intros i Hi | exact Hafter]. destruct (Nat.eq_dec i m) as [->|Hne].
    - rewrite Hm, (Hafter (S m)) by lia. ring.
    - rewrite Hlow by lia. unfold body at 1. rewrite set_other by lia. reflexivity. }
  destruct (H (n - 1)%nat a) as [Hlow Hhigh]. split; [intros i Hi; apply Hlow | apply Hhigh]; lia.
Qed.

Lemma close_spec (u h : nat -> F) n i : close u h n i = u i - sum u n * h i.
Proof. unfold close. ring. Qed.
Lemma close_sum (u h : nat -> F) n : sum h n = 1 -> sum (close u h n) n = 0.
Proof.
  intros H. rewrite (sum_ext (close u h n) (fun i => u i - sum u n * h i))
    by (intros; apply close_spec).
  rewrite (sum_sub u), (sum_scale h), H. ring.
Qed.

(** The sweeps: forward results y (closed by the flux on the cycle), backward results z. *)
Lemma solve_fluctuation_spec (r : nat -> F) f n : exists y y' z : nat -> F,
  y O = r O /\ (forall i, S i < n -> y (S i) = r (S i) + carry f i * y i) /\
  (forall i, y' i = match flux f with None => y i | Some w => y i - sum y n * w i end) /\
  (forall i, S i < n -> z i = gain f i * y' i + carry f i * z (S i)) /\
  z (n - 1)%nat = gain f (n - 1)%nat * y' (n - 1)%nat /\
  forall i, solve_fluctuation r f n i = z i - sum z n * closure f i.
Proof.
  destruct (carry_forward_spec r (carry f) n) as [H0 Hy].
  unfold solve_fluctuation. set (y := carry_forward r (carry f) n) in *.
  match goal with |- context [match flux f with None => y | Some w => @?s w end] =>
    set (y' := match flux f with None => y | Some w => s w end) end.
  match goal with |- context [carry_backward ?v _ _] => set (a := v) end.
  destruct (carry_backward_spec a (carry f) n) as [Hz Hlast].
  set (z := carry_backward a (carry f) n) in *.
  assert (Ha : forall i, a i = gain f i * y' i) by (intros; unfold a; ring).
  exists y, y', z. split; [exact H0|]. split; [exact Hy|]. split; [|split; [|split]].
  - intros i. unfold y'. destruct (flux f); [apply close_spec | reflexivity].
  - intros i Hi. now rewrite Hz, Ha by auto.
  - now rewrite Hlast, Ha.
  - intros i. apply close_spec.
Qed.

Lemma split_mean_spec (g : nat -> F) n : number n <> 0 :> F ->
  fst (split_mean g n) = mean g n /\ (forall i, snd (split_mean g n) i = g i - mean g n)
  /\ sum (snd (split_mean g n)) n = 0.
Proof.
  intros Hn. assert (Hrest : mean (fun i => g i - mean g n) n = 0).
  { unfold mean at 1. rewrite fluctuation_sum by auto. now field. }
  unfold split_mean. cbn zeta. simpl. rewrite Hrest. repeat split; [ring | intros; ring |].
  rewrite (sum_ext _ (fun i => g i - mean g n)) by (intros; ring). now apply fluctuation_sum.
Qed.

Lemma solve_gram_spec (g : nat -> F) alpha beta f n : number n <> 0 :> F -> exists r,
  (forall i, r i = g i - mean g n) /\ sum r n = 0 /\
  forall i, solve_gram g alpha beta f n i = mean g n / alpha
    + match f with None => r i / beta | Some f => solve_fluctuation r f n i end.
Proof.
  intros Hn. destruct (split_mean_spec g n Hn) as [Hmean [Hr Hsum]]. unfold solve_gram.
  destruct (split_mean g n) as [m r]. cbn [fst snd] in *. exists r. repeat split; auto.
  intros i. subst m. destruct f; ring.
Qed.
End Loops.
