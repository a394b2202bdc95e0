/** Words that keys and values of needles are made of: `quiet-harbor`. */
export const ADJECTIVES = [
  'amber', 'ancient', 'autumn', 'bitter', 'bold', 'brave', 'bright', 'broken', 'calm', 'careful', 'cheap', 'clever',
  'cold', 'copper', 'crisp', 'curious', 'dark', 'distant', 'early', 'empty', 'famous', 'fancy', 'frozen', 'gentle',
  'golden', 'green', 'happy', 'heavy', 'hidden', 'honest', 'humble', 'idle', 'iron', 'late', 'lazy', 'little',
  'lonely', 'lucky', 'narrow', 'noble', 'patient', 'polite', 'proud', 'purple', 'quiet', 'rapid', 'rare', 'red',
  'royal', 'rusty', 'secret', 'sharp', 'shy', 'silent', 'silver', 'simple', 'sleepy', 'slow', 'smooth', 'solid',
  'strange', 'sunny', 'tiny', 'wild',
] as const;

export const NOUNS = [
  'anchor', 'apple', 'arrow', 'badger', 'basket', 'bell', 'bridge', 'button', 'cabin', 'candle', 'canyon', 'castle',
  'cherry', 'circle', 'cloud', 'coin', 'desert', 'dragon', 'eagle', 'engine', 'feather', 'forest', 'fox', 'garden',
  'glacier', 'guitar', 'hammer', 'harbor', 'helmet', 'island', 'jacket', 'kettle', 'ladder', 'lantern', 'lemon', 'lion',
  'market', 'meadow', 'mirror', 'mountain', 'needle', 'ocean', 'orchid', 'owl', 'paper', 'pencil', 'piano', 'pillow',
  'planet', 'rabbit', 'river', 'rocket', 'saddle', 'shadow', 'ship', 'spoon', 'temple', 'tiger', 'tower', 'turtle',
  'valley', 'violin', 'window', 'wolf',
] as const;
