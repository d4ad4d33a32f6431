import { native } from '@tidings/native';
import { start as startWith } from './tidings-express.mjs';

export const start = () => startWith({ fanOut: native() });
