/** The linear maps of a layer. */
export type Projection = 'query' | 'key' | 'value' | 'attentionOutput' | 'gate' | 'up' | 'down';
