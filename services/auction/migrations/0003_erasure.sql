-- Erasing an agent writes behind an end, over names and texts only: what was agreed, when, and how it ended stays.
create or replace function keep_ends() returns trigger language plpgsql as $$
begin
  if current_setting('auction.erasing', true) = 'on'
    and row(
      new.id, new.state, new.capabilities, new.epoch, new.outcome::text, new.end_reason,
      new.bid_count, new.created_at, new.updated_at, new.closes_at, new.ended_at, new.due_at,
      new.attempts
    ) is not distinct from row(
      old.id, old.state, old.capabilities, old.epoch, old.outcome::text, old.end_reason,
      old.bid_count, old.created_at, old.updated_at, old.closes_at, old.ended_at, old.due_at,
      old.attempts
    )
  then
    return new;
  end if;
  raise exception 'task % has ended', old.id
    using errcode = 'check_violation', constraint = 'tasks_final';
end
$$;
