(** T5.inverse-h0 and T5.inverse-path: at c = 0 and at beta = 0 the closed forms of inverse.py are
    the inverse, column by column, for every n. *)
From Cdg Require Import Fields Arrays Code Definitions Sums Order.
Require Import Field.
Local Open Scope field_scope.

Lemma eqb_false i j : i <> j -> Nat.eqb i j = false.
Proof. apply Nat.eqb_neq. Qed.

Section Columns.
Context {F : field}.
Add Field field_of_F : (laws F).

(** Column j of P / alpha + G solves M k = e_j if G's has mean zero and solves for e_j - 1/n. *)
Lemma column laplacian (alpha beta c : F) (x : nat -> F) n j : is_laplacian laplacian ->
  number n <> 0 :> F -> alpha <> 0 -> sum x n = 0 ->
  (forall i, i < n -> operator laplacian beta c x n i = delta i j - 1 / number n) ->
  forall i, i < n ->
  gram laplacian alpha beta c (fun i => 1 / (number n * alpha) + x i) n i = delta i j.
Proof. intros HL Hn Ha Hx Hrows i Hi. rewrite gram_split, Hrows by auto. field. auto. Qed.

(** The same from a column of the resolvent. *)
Lemma resolvent_column laplacian (alpha beta c : F) (x : nat -> F) n j : is_laplacian laplacian ->
  number n <> 0 :> F -> alpha <> 0 -> beta <> 0 -> j < n ->
  (forall i, i < n -> operator laplacian beta c x n i = delta i j) ->
  let k := fun i => 1 / (number n * alpha) + (x i - 1 / (number n * beta)) in
  forall i, i < n -> gram laplacian alpha beta c k n i = delta i j.
Proof.
  intros HL Hn Ha Hb Hj Hrows. cbn zeta. apply column; auto.
  - rewrite sum_sub, sum_const. assert (E := operator_total laplacian HL beta c x n).
    rewrite (sum_ext _ _ n Hrows), sum_delta_one in E by auto.
    transitivity (1 / beta * (beta * sum x n - 1)); [field; auto | rewrite <- E; field; auto].
  - intros i Hi.
    rewrite (operator_ext laplacian HL beta c _ (fun i => - (1 / (number n * beta)) + x i))
      by (auto; intros; ring).
    rewrite operator_shift, Hrows by auto. field. auto.
Qed.

Theorem h0_inverse laplacian (alpha beta : F) n j : is_laplacian laplacian ->
  number n <> 0 :> F -> alpha <> 0 -> beta <> 0 -> j < n ->
  let k := fun i => 1 / (number n * alpha) + h0_entry (delta i j) (number n) beta in
  forall i, i < n -> gram laplacian alpha beta 0 k n i = delta i j.
Proof.
  intros HL Hn Ha Hb Hj. cbn zeta.
  assert (H : forall i, h0_entry (delta i j) (number n) beta = 1 / beta * (delta i j - 1 / number n))
    by (intros; unfold h0_entry; field; auto).
  apply column; auto.
  - rewrite (sum_ext _ _ n (fun i _ => H i)), (sum_scale (fun i => delta i j - 1 / number n)),
      sum_sub, sum_const, sum_delta_one by auto. field. auto.
  - intros i _. unfold operator. rewrite H. field. auto.
Qed.

(** The path at beta = 0. *)
Local Notation two := (1 + 1 : F). Local Notation three := (1 + 1 + 1 : F).
Hypothesis Htwo : number 2 <> 0 :> F.
Hypothesis Hthree : number 3 <> 0 :> F.
Let H2 : two <> 0. Proof. intros E. apply Htwo. rewrite <- E. simpl. ring. Qed.
Let H3 : three <> 0. Proof. intros E. apply Hthree. rewrite <- E. simpl. ring. Qed.
(** Numerals as [field] leaves them in what must not vanish. *)
Let H3' : 1 + (1 + 1) <> 0 :> F. Proof. intros E. apply H3. rewrite <- E. ring. Qed.
Let H4 : two * two <> 0. Proof. now apply mul_nonzero. Qed.
Let H6 : two * (1 + two) <> 0. Proof. now apply mul_nonzero. Qed.
Let H12 : two * (two * (1 + two)) <> 0. Proof. now repeat apply mul_nonzero. Qed.
Let H24 : two * (two * (two * (1 + two))) <> 0. Proof. now repeat apply mul_nonzero. Qed.
Ltac side := repeat split; first [exact H2 | exact H3' | exact H4 | exact H6 | exact H12 | exact H24
  | exact (F_1_neq_0 (laws F)) | known].
Ltac crunch := field; side.
Ltac literals := replace (number 12 : F) with (two * two * three) by (simpl; ring);
  replace (number 6 : F) with (two * three) by (simpl; ring);
  replace (number 2 : F) with two by (simpl; ring).

Lemma path_entry_spec (lo hi n : F) : n <> 0 -> path_entry lo hi n
  = (lo * (lo + 1) + hi * (hi + 1)) / (two * n) - hi + (n - 1) * (two * n - 1) / (two * three * n).
Proof.
  intros Hn. assert (Htn := mul_nonzero _ _ H2 Hn). unfold path_entry. literals. crunch.
Qed.

Definition closed n j (i : nat) : F := path_entry (number (Nat.min i j)) (number (Nat.max i j)) (number n).
Lemma entry_low n j i : i <= j -> closed n j i = path_entry (number i) (number j) (number n).
Proof. intros H. unfold closed. now rewrite Nat.min_l, Nat.max_r. Qed.
Lemma entry_high n j i : j <= i -> closed n j i = path_entry (number j) (number i) (number n).
Proof. intros H. unfold closed. now rewrite Nat.min_r, Nat.max_l. Qed.

Lemma pseudoinverse_rows n j i : number n <> 0 :> F -> j < n -> i < n ->
  path_laplacian (closed n j) n i = delta i j - 1 / number n.
Proof.
  intros Hn Hj Hi. unfold path_laplacian, delta.
  assert (Hlast : forall m, S m = n -> number n = number m + 1 :> F) by (intros m <-; reflexivity).
  assert (HS : forall m, number (S m) = number m + 1 :> F) by reflexivity.
  destruct (Nat.lt_trichotomy i j) as [Hlt | [-> | Hgt]].
  - rewrite eqb_false by lia. assert (Nat.ltb (S i) n = true) as -> by (apply Nat.ltb_lt; lia).
    rewrite (entry_low n _ i), (entry_low n _ (S i)), !path_entry_spec by (auto; lia).
    destruct i as [|i]; [cbn [number]; crunch|].
    rewrite (entry_low n _ i), path_entry_spec by (auto; lia). rewrite !HS. crunch.
  - rewrite Nat.eqb_refl, (entry_low n _ j), path_entry_spec by (auto; lia).
    destruct (Nat.ltb (S j) n) eqn:E; [apply Nat.ltb_lt in E | apply Nat.ltb_ge in E].
    + rewrite (entry_high n _ (S j)), path_entry_spec by (auto; lia).
      destruct j as [|m]; [cbn [number]; crunch|].
      rewrite (entry_low n _ m), path_entry_spec by (auto; lia). rewrite !HS. crunch.
    + assert (HN := Hlast j ltac:(lia)). destruct j as [|m].
      * cbn [number] in HN. rewrite HN in *. cbn [number]. crunch.
      * rewrite (entry_low n _ m), path_entry_spec by (auto; lia). rewrite HN, ?HS in *. crunch.
  - rewrite eqb_false, (entry_high n _ i), path_entry_spec by (auto; lia). destruct i as [|i]; [lia|].
    rewrite (entry_high n _ i), path_entry_spec by (auto; lia).
    destruct (Nat.ltb (S (S i)) n) eqn:E; [apply Nat.ltb_lt in E | apply Nat.ltb_ge in E].
    + rewrite (entry_high n _ (S (S i))), path_entry_spec by (auto; lia). rewrite !HS. crunch.
    + assert (HN := Hlast (S i) ltac:(lia)). rewrite HN, ?HS in *. crunch.
Qed.

Lemma column_sum n j : number n <> 0 :> F -> j < n -> sum (closed n j) n = 0.
Proof.
  intros Hn Hj. set (N := number n : F).
  assert (Hlow : forall m, m <= j -> sum (closed n j) m = number m *
    ((number j * (number j + 1)) / (two * N) - number j + (N - 1) * (two * N - 1) / (two * three * N)
     + (number m * number m - 1) / (two * three * N))).
  { induction m as [|m IH]; intros Hm; [simpl; crunch|]. cbn [sum].
    rewrite IH, entry_low, path_entry_spec by (auto; lia). fold N. cbn [number]. crunch. }
  assert (Hhigh : forall m, j <= m -> m <= n -> sum (closed n j) m = number m *
    ((number j * (number j + 1)) / (two * N) + (N - 1) * (two * N - 1) / (two * three * N)
     + (number m * number m - 1) / (two * three * N)) - number m * (number m - 1) / two
     - number j * (number j + 1) / two).
  { induction m as [|m IH]; intros Hm Hmn.
    - replace j with O by lia. simpl. crunch.
    - destruct (Nat.eq_dec j (S m)) as [E|E].
      + rewrite Hlow by lia. rewrite E. cbn [number]. crunch.
      + cbn [sum]. rewrite IH, entry_high, path_entry_spec by (auto; lia). fold N.
        cbn [number]. crunch. }
  rewrite Hhigh by lia. fold N. crunch.
Qed.

Theorem path_inverse (alpha c : F) n j : alpha <> 0 -> c <> 0 -> number n <> 0 :> F -> j < n ->
  let k := fun i => 1 / (number n * alpha)
    + path_entry (number (Nat.min i j)) (number (Nat.max i j)) (number n) / c in
  forall i, i < n -> gram path_laplacian alpha 0 c k n i = delta i j.
Proof.
  intros Ha Hc Hn Hj. cbn zeta. apply column; auto using path_is_laplacian.
  - rewrite (sum_ext _ (fun i => 1 / c * closed n j i))
      by (intros; unfold closed; field; auto).
    rewrite (sum_scale (closed n j)), column_sum by auto. ring.
  - intros i Hi. rewrite (operator_ext path_laplacian path_is_laplacian 0 c _
      (fun i => 1 / c * closed n j i + 0 * closed n j i))
      by (auto; intros; unfold closed; field; auto).
    rewrite (operator_linear path_laplacian path_is_laplacian). unfold operator.
    rewrite pseudoinverse_rows by auto. field. auto.
Qed.

(** The cycle at beta = 0, and the path as half of it. *)
Lemma cycle_entry_spec (d n : F) : n <> 0 -> cycle_entry d n
  = (n * n - 1) / (two * two * three * n) - d * (n - d) / (two * n).
Proof. intros Hn. unfold cycle_entry. literals. crunch. Qed.
Lemma cycle_entry_sum n : number n <> 0 :> F ->
  sum (fun u => cycle_entry (number u) (number n)) n = 0 :> F.
Proof.
  intros Hn. set (N := number n : F).
  assert (H : forall m, sum (fun u => cycle_entry (number u) N) m
    = number m * (N * N - 1) / (two * two * three * N)
      - (N * number m * (number m - 1) / two
         - (number m - 1) * number m * (two * number m - 1) / (two * three)) / (two * N)).
  { induction m as [|m IH]; cbn [sum]; [|rewrite IH, cycle_entry_spec by auto];
      cbn [number]; crunch. }
  rewrite H. fold N. crunch.
Qed.
Lemma cycle_entry_rows (d n : F) : n <> 0 ->
  (cycle_entry d n - cycle_entry (d - 1) n) + (cycle_entry d n - cycle_entry (d + 1) n) = - (1 / n)
  /\ (cycle_entry 0 n - cycle_entry 1 n) + (cycle_entry 0 n - cycle_entry 1 n) = 1 - 1 / n
  /\ cycle_entry (n - d) n = cycle_entry d n.
Proof. intros Hn. repeat split; rewrite !cycle_entry_spec by auto; crunch. Qed.
Theorem entries_folded (i j n c : F) : n <> 0 -> c <> 0 ->
  path_entry i j n = cycle_entry (j - i) (number 2 * n) + cycle_entry (i + j + 1) (number 2 * n) /\
  forall u, (cycle_entry 0 n - cycle_entry u n) / c = u / (number 2 * c) * ((n - u) / n).
Proof.
  intros Hn Hc. assert (Htn := mul_nonzero _ _ H2 Hn). literals.
  split; [|intros u]; rewrite ?path_entry_spec, !cycle_entry_spec by auto; crunch.
Qed.
End Columns.
