-- Ends a statement that records an id which another has burnt, or takes one to be unused which another has
-- recorded. Being volatile, it sees what was committed before it is called, not only before the statement
-- began: call it under the lock on the head of the journal, which whoever records or burns takes too. `head`
-- ties the call to that lock.
create function refuse_used(head bigint, recorded uuid[], unused uuid[]) returns boolean
language plpgsql volatile as $$
begin
  if (cardinality(recorded) = 0
      or not exists (select from burnt_transactions where id = any(recorded)))
    and (cardinality(unused) = 0 or not exists (select from transactions where id = any(unused)))
  then
    return true;
  end if;
  raise exception 'an id was used meanwhile' using errcode = 'serialization_failure';
end
$$;
