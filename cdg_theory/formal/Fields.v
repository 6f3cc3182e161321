(** Fields and ordered fields, as the standard library's [field] tactic wants them.

    [is_zero] is what [c == 0] is in the code. *)
Require Export Arith Lia.
Require Import Field.

Record field := Field {
  carrier :> Type;
  zero : carrier; one : carrier;
  add : carrier -> carrier -> carrier; mul : carrier -> carrier -> carrier;
  sub : carrier -> carrier -> carrier; opp : carrier -> carrier;
  div : carrier -> carrier -> carrier; inv : carrier -> carrier;
  laws : field_theory zero one add mul sub opp div inv (@eq carrier);
  is_zero : carrier -> bool;
  is_zero_spec : forall x, is_zero x = true <-> x = zero }.
Arguments zero {_}. Arguments one {_}. Arguments add {_}. Arguments mul {_}. Arguments sub {_}.
Arguments opp {_}. Arguments div {_}. Arguments inv {_}. Arguments is_zero {_}.

Declare Scope field_scope.
Delimit Scope field_scope with F.
Notation "0" := zero : field_scope. Notation "1" := one : field_scope.
Infix "+" := add : field_scope. Infix "*" := mul : field_scope. Infix "-" := sub : field_scope.
Infix "/" := div : field_scope. Notation "- x" := (opp x) : field_scope.

(** An ordered field is given by its positive elements. *)
Record ordered := Ordered {
  base :> field;
  positive : base -> Prop;
  positive_add : forall x y, positive x -> positive y -> positive (add x y);
  positive_mul : forall x y, positive x -> positive y -> positive (mul x y);
  positive_not_zero : ~ positive zero;
  positive_total : forall x, x = zero \/ positive x \/ positive (opp x) }.
Arguments positive {_}.
Definition nonnegative {F : ordered} (x : F) := x = zero \/ positive x.
