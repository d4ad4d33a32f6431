import { native } from '@tidings/native';
import { start as startWith } from './tidings-node.mjs';

export const start = () => startWith({ fanOut: native() });
