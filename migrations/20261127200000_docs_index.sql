-- What the search knows of documentation: the pages of books as they were at a commit.

create table docs_book (
    -- Canonical ref of the entity that the documentation is of.
    entity_ref text not null constraint docs_book_pkey primary key collate "C",
    -- Where it was read from: `<forge>/<owner>/<name>`, empty for the server's disk and for what was not read yet.
    repository text not null,
    -- Of its files, and of how pages are taken from them; empty for what was not read yet.
    version text not null,
    next_look_at timestamptz not null
);
create index docs_book_next_look_at_idx on docs_book (next_look_at);
create index docs_book_repository_idx on docs_book (repository);

create table docs_page (
    entity_ref text not null collate "C"
        constraint docs_page_book_fkey references docs_book on delete cascade,
    -- Behind the address of the book; empty for its first page.
    path text not null,
    title text not null,
    -- Without marks, as far as it is searched.
    text text not null,
    -- Words in lower case, split as the program splits what is looked for.
    words tsvector not null,
    constraint docs_page_pkey primary key (entity_ref, path)
);
create index docs_page_words_idx on docs_page using gin (words);
