-- By themselves: a new value of an enum can be used only once the transaction that added it has ended.
ALTER TYPE sweep_state ADD VALUE 'paused' AFTER 'running';
ALTER TYPE sweep_state ADD VALUE 'stopping' AFTER 'paused';
ALTER TYPE sweep_state ADD VALUE 'cancelling' AFTER 'stopping';
