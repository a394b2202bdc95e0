-- By themselves: a new value of an enum can be used only once the transaction that added it has ended.
ALTER TYPE task_kind ADD VALUE 'perplexity';
ALTER TYPE task_kind ADD VALUE 'attention';
