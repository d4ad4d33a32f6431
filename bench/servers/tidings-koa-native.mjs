import { native } from '@tidings/native';
import { start as startWith } from './tidings-koa.mjs';

export const start = () => startWith({ fanOut: native() });
