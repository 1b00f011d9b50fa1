export { type ChannelStatistics, channelStatistics } from './channel-statistics.js';
export { detectFoldedNorms } from './detect.js';
export { unfoldNorms } from './unfold.js';
