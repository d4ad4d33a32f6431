import DefaultTheme from 'vitepress/theme-without-fonts';
import '../../../design/tokens.css';
import './colors.css';
import './home.css';
import './tables.css';
import './api.css';

export default DefaultTheme;
