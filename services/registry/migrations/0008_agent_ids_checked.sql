-- outside a transaction
alter table agents validate constraint agents_id_form;
