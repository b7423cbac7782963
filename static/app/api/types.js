/**
 * What the HTTP contract answers, as types. Durations and positions are seconds, sizes bytes, times RFC 3339 UTC strings.
 *
 * @typedef {{user_id: string, email: string, name: string, role: "owner" | "admin" | "member", created_at: string}} Account
 * @typedef {{session_id: string, device: string, created_at: string, last_used_at: string, current: boolean}} Device
 * @typedef {{needed: boolean, registration: boolean}} SetUpState
 *
 * @typedef {{position: number, duration: number}} Progress
 * @typedef {{video_id: string, title: string, year: number | null, duration_seconds: number | null,
 *   thumbnail_url: string | null, backdrop_url: string | null, progress?: Progress | null}} FilmCard
 * @typedef {{id: string, title: string, reason: string, items: FilmCard[]}} HomeRow
 * @typedef {{rows: HomeRow[]}} Home
 *
 * @typedef {{name: string, height: number, width: number, height_class: number, bandwidth: number}} RenditionFacts
 * @typedef {{name: string, language: string, label: string, channels: number, default: boolean}} AudioFacts
 * @typedef {{name: string, language: string, label: string, default: boolean, forced: boolean, hearing_impaired: boolean,
 *   codec: string, state: "pending" | "ready" | "image" | "unknown" | "failed", added: boolean}} SubtitleFacts
 * @typedef {{start_seconds: number, end_seconds: number, title: string}} Chapter
 * @typedef {{name: string, language: string, label: string, default: boolean, forced: boolean, hearing_impaired: boolean,
 *   url: string}} Words subtitles that can be shown
 * @typedef {"probing" | "playable" | "complete" | "failed"} FilmStatus
 * @typedef {FilmCard & {description: string, genres: string[], actors: string[], directors: string[], maturity: string | null,
 *   status: FilmStatus, renditions: RenditionFacts[], audio: AudioFacts[], subtitles: SubtitleFacts[], chapters: Chapter[]}} FilmMetadata
 *
 * @typedef {{manifest_url: string, dash_url: string, session_id: string, presentation_id: string, heartbeat_seconds: number, thumbnails_url?: string | null, resume_at: number,
 *   duration_seconds: number, max_height: number, start: import("../player/adapt.js").Start, subtitles: Words[],
 *   original?: {manifest_url: string, dash_url: string, codecs: string, height: number, bandwidth: number} | null}} PlayGrant
 * @typedef {{session_id: string, title: string, video_id: string, device: string, started_at: string,
 *   position: number}} ScreenInUse
 *
 * @typedef {{id: string, name?: string, price: number, amount_minor: number, currency: string, screens: number,
 *   quality: string}} Plan
 * @typedef {{plans: Plan[], billing: boolean, for_sale: boolean}} Plans
 * @typedef {{plan_id: string | null, status: string, end_date?: string | null, is_active: boolean}} Subscription
 *
 * @typedef {{name: string, height: number, width: number, lines: number, ready: number, total: number, seconds_left: number | null,
 *   damaged: {index: number, reason: string}[]}} RenditionProgress
 * @typedef {{number: number, poster_url: string, backdrop_url: string}} PictureFacts
 * @typedef {{video_id: string, title: string, status: FilmStatus, reason: string | null, duration_seconds: number | null,
 *   pictures: PictureFacts[], poster: number | null, backdrop: number | null, chosen: string[],
 *   thumbnail_url: string | null, renditions: RenditionProgress[], made: number, seconds_left: number | null, waits_for: string | null, created_at: string, size_bytes: number | null}} AdminFilm
 */

/**
 * @template T
 * @typedef {{results: T[], total: number, page: number, has_more: boolean}} Page
 */

export {};
