-- Erasing an agent takes the words out of evidence and puts an alias in the place of who brought it. The digest of what
-- was shown, its place and its time stay as they were.
drop trigger evidence_immutable on evidence;

create trigger evidence_kept before delete or truncate on evidence
  for each statement execute function refuse_change();

create trigger evidence_immutable before update on evidence
  for each statement when (current_setting('ledger.erasing', true) is distinct from 'on')
  execute function refuse_change();

create trigger evidence_proves before update on evidence
  for each row when (
    row(new.transaction_id, new.nth, new.sha256, new.submitted_at)
      is distinct from row(old.transaction_id, old.nth, old.sha256, old.submitted_at)
  )
  execute function refuse_change();
