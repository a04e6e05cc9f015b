-- Who else has recorded transactions of these groups than who means to: up to two for each.
create function other_recorders(groups uuid[], recorders text[])
returns table (group_id uuid, recorder text)
language sql stable as $$
  select mine.id, other.recorder
  from unnest(groups, recorders) as mine (id, recorder)
  cross join lateral (
    (select t.recorder from transactions t
     where t.group_id = mine.id and t.recorder < mine.recorder order by t.recorder limit 1)
    union all
    (select t.recorder from transactions t
     where t.group_id = mine.id and t.recorder > mine.recorder order by t.recorder limit 1)
  ) as other
$$;

-- The same as the one of three parameters, which the processes of before go on to call, and for groups too.
create function refuse_used(
  head bigint, recorded uuid[], unused uuid[], groups uuid[], recorders text[]
) returns boolean
language plpgsql volatile as $$
begin
  if cardinality(groups) > 0 and exists (select from other_recorders(groups, recorders)) then
    raise exception 'a group is another''s' using errcode = 'serialization_failure';
  end if;
  return refuse_used(head, recorded, unused);
end
$$;
