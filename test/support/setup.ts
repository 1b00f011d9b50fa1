/** Property tests draw the same cases every time; FC_SEED explores others. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 20_220_103) });
