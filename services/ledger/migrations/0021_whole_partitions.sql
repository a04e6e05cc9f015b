-- A trigger before truncate is of one table only, so a partition could be emptied by its own name.
do $$
declare
  missing record;
begin
  for missing in
    select inhrelid::regclass as partition, tgname as name, tgfoid::regproc as function
    from pg_inherits
    join pg_trigger on tgrelid = inhparent
    where inhparent in ('movement_rows'::regclass, 'movement_pages'::regclass)
      and tgname in ('movement_rows_not_truncated', 'movement_pages_not_truncated')
  loop
    execute format('create trigger %I before truncate on %s for each statement execute function %s()',
      missing.name, missing.partition, missing.function);
  end loop;
end
$$;
