-- The log over the batches: an RFC 6962 Merkle tree whose leaves are their hashes, in order. It adds
-- nothing to what the batches say; it makes it cheap to prove. Writers of the books never touch it:
-- whoever needs it brings it up to date behind them. How hashes are made: @bourse/proof.
create table log (
  lock boolean not null default true,
  -- Which log, for checkpoints; a copy of the database goes on as the same one.
  origin text not null default 'bourse-ledger/' || gen_random_uuid(),
  -- How many batches, from the first, the tiles cover; its row is locked to add tiles.
  tiled bigint not null default 0,
  constraint log_pkey primary key (lock),
  constraint log_one_row check (lock),
  constraint log_whole_tiles check (tiled >= 0 and tiled % 256 = 0)
);

insert into log default values;

-- Roots of complete subtrees: of 256 leaves on level 1, of 65,536 on level 2 and so on. The nth is
-- counted on its level, from 0.
create table log_tiles (
  nth bigint not null,
  level smallint not null,
  root bytea not null,
  constraint log_tiles_pkey primary key (level, nth),
  constraint log_tiles_in_range check (level > 0 and nth >= 0)
);

create trigger log_tiles_immutable before update or delete or truncate on log_tiles
  for each statement execute function refuse_change();

-- What was told of the log: its root when it had so many leaves. Each is a promise that the log
-- still begins so.
create table checkpoints (
  size bigint not null,
  created_at timestamptz(3) not null,
  root bytea not null,
  constraint checkpoints_pkey primary key (size)
);

create trigger checkpoints_immutable before update or delete or truncate on checkpoints
  for each statement execute function refuse_change();
