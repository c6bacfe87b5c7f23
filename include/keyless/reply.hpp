/**
 * @file
 * Replies, zero-copy. How they become values of C++ is in convert.hpp.
 */

#ifndef KEYLESS_REPLY_HPP
#define KEYLESS_REPLY_HPP

#include "error.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

namespace keyless {

/** What a reply is, KEYLESS_REPLY_NIL and so on: see keyless.h. */
using ReplyType = keyless_reply_type;

class Reply;

/**
 * A view of a reply or of a part of one: as cheap to copy as a pointer.
 *
 * It, and every view of text that it gives, lives as long as the Reply or Replies that it comes from; in a callback
 * until that returns. Does not change: any number of threads may look at it. A view of nothing, such as the part of a
 * list that is shorter, looks like nil.
 */
class ReplyView {
public:
    class Iterator;
    class Pairs;

    /** A view of nothing. */
    ReplyView() = default;

    /** A view of a reply of C's. */
    explicit ReplyView(const keyless_reply *reply) noexcept : reply_(reply) {}

    /** What the reply is. */
    ReplyType type() const noexcept { return keyless_reply_get_type(reply_); }

    /** Whether there is nothing. */
    bool is_nil() const noexcept { return type() == KEYLESS_REPLY_NIL; }

    /** Whether it is an error: a part of a pipeline's replies, say. */
    bool is_error() const noexcept { return type() == KEYLESS_REPLY_ERROR; }

    /** The bytes of a string, status, verbatim string or big number; nothing for anything else. */
    std::optional<std::string_view> string() const noexcept {
        std::size_t length = 0;
        const char *data = keyless_reply_string(reply_, &length);
        return data != nullptr ? std::optional(std::string_view(data, length)) : std::nullopt;
    }

    /** The format of a verbatim string, `txt` or `mkd`; empty for anything else. */
    std::string_view verbatim_format() const noexcept {
        return detail::view(keyless_reply_verbatim_format, reply_);
    }

    /** The number of an integer; nothing for anything else. */
    std::optional<std::int64_t> integer() const noexcept {
        std::int64_t value = 0;
        return keyless_reply_integer(reply_, &value) ? std::optional(value) : std::nullopt;
    }

    /** The number of a double; nothing for anything else. */
    std::optional<double> floating() const noexcept {
        double value = 0;
        return keyless_reply_double(reply_, &value) ? std::optional(value) : std::nullopt;
    }

    /** The value of a boolean; nothing for anything else. */
    std::optional<bool> boolean() const noexcept {
        bool value = false;
        return keyless_reply_boolean(reply_, &value) ? std::optional(value) : std::nullopt;
    }

    /** The error that it is; nothing for anything else. */
    std::optional<Error> error() const {
        keyless_error *error = keyless_reply_error(reply_);
        return error != nullptr ? std::optional(Error(error)) : std::nullopt;
    }

    /** How many parts an array, set or push has, or a map's keys and values; 0 for anything else. */
    std::size_t size() const noexcept {
        const std::size_t count = keyless_reply_count(reply_);
        return type() == KEYLESS_REPLY_MAP ? 2 * count : count;
    }

    /**
     * The part with this index, from 0; a view of nothing if there is none.
     *
     * Of a map its keys and values in turn, which is how RESP2 shows maps: the same program reads both.
     */
    ReplyView operator[](std::size_t index) const noexcept {
        if (type() != KEYLESS_REPLY_MAP) {
            return ReplyView(keyless_reply_child(reply_, index));
        }
        const keyless_reply *key = nullptr;
        const keyless_reply *value = nullptr;
        keyless_reply_pair(reply_, index / 2, &key, &value);
        return ReplyView(index % 2 == 0 ? key : value);
    }

    /** The parts, as by operator[]. */
    inline Iterator begin() const noexcept;
    /** The parts, as by operator[]. */
    inline Iterator end() const noexcept;

    /**
     * The keys and values of a map, `for (auto [key, value] : reply.pairs())`; also of an array whose parts are keys
     * and values in turn, or are themselves arrays of two, as scores come in RESP3. Empty for anything else.
     */
    inline Pairs pairs() const noexcept;

    /** The value as a type of C++; see convert.hpp. Throws UnexpectedReplyError, or the error that the reply is. */
    template <typename T>
    T as() const;

    /** The same, without exceptions. */
    template <typename T>
    Result<T> as(std::nothrow_t) const;

    /** A reply of its own, to keep it. Shares the memory of what was received. */
    inline Reply clone() const;

    /** The handle of C, borrowed. */
    const keyless_reply *handle() const noexcept { return reply_; }

protected:
    /** What is looked at. */
    const keyless_reply *reply_ = nullptr;
};

/** A reply that is owned. Moves only; a Reply that was moved from is a view of nothing. */
class Reply : public ReplyView {
public:
    /** Nothing. */
    Reply() = default;

    /** Takes over a reply of C's. */
    explicit Reply(keyless_reply *reply) noexcept : ReplyView(reply), owned_(reply) {}

    Reply(Reply &&other) noexcept : ReplyView(other), owned_(std::move(other.owned_)) { other.reply_ = nullptr; }

    Reply &operator=(Reply &&other) noexcept {
        owned_ = std::move(other.owned_);
        reply_ = std::exchange(other.reply_, nullptr);
        return *this;
    }

    /** As ReplyView::pairs(); not of a temporary, which is gone before the first pair is looked at. */
    inline Pairs pairs() const & noexcept;
    Pairs pairs() && = delete;

    /** As ReplyView::as(). */
    template <typename T>
    T as() const & {
        return ReplyView::as<T>();
    }
    /** As ReplyView::as(); views are refused of a temporary. */
    template <typename T>
    T as() &&;

    /** As ReplyView::as(). */
    template <typename T>
    Result<T> as(std::nothrow_t) const & {
        return ReplyView::as<T>(std::nothrow);
    }
    /** As ReplyView::as(); views are refused of a temporary. */
    template <typename T>
    Result<T> as(std::nothrow_t) &&;

private:
    detail::Owned<keyless_reply, keyless_reply_free> owned_;
};

/** Walks over the parts of a reply. */
class ReplyView::Iterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = ReplyView;
    using difference_type = std::ptrdiff_t;
    using pointer = const ReplyView *;
    using reference = ReplyView;

    Iterator() = default;
    /** At a part of a reply. */
    Iterator(ReplyView whole, std::size_t index) noexcept : whole_(whole), index_(index) {}

    ReplyView operator*() const noexcept { return whole_[index_]; }
    Iterator &operator++() noexcept {
        ++index_;
        return *this;
    }
    Iterator operator++(int) noexcept {
        Iterator before = *this;
        ++index_;
        return before;
    }
    friend bool operator==(const Iterator &left, const Iterator &right) noexcept {
        return left.index_ == right.index_;
    }
    friend bool operator!=(const Iterator &left, const Iterator &right) noexcept { return !(left == right); }

private:
    ReplyView whole_;
    std::size_t index_ = 0;
};

/** The keys and values of a reply. */
class ReplyView::Pairs {
public:
    /** Walks over pairs. */
    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = std::pair<ReplyView, ReplyView>;
        using difference_type = std::ptrdiff_t;
        using pointer = const value_type *;
        using reference = value_type;

        Iterator() = default;
        /** At a pair. */
        Iterator(const Pairs &pairs, std::size_t index) noexcept
            : whole_(pairs.whole_), nested_(pairs.nested_), index_(index) {}

        value_type operator*() const noexcept {
            if (nested_) {
                const ReplyView part = whole_[index_];
                return {part[0], part[1]};
            }
            return {whole_[2 * index_], whole_[2 * index_ + 1]};
        }
        Iterator &operator++() noexcept {
            ++index_;
            return *this;
        }
        Iterator operator++(int) noexcept {
            Iterator before = *this;
            ++index_;
            return before;
        }
        friend bool operator==(const Iterator &left, const Iterator &right) noexcept {
            return left.index_ == right.index_;
        }
        friend bool operator!=(const Iterator &left, const Iterator &right) noexcept { return !(left == right); }

    private:
        ReplyView whole_;
        bool nested_ = false;
        std::size_t index_ = 0;
    };

    /** The pairs of a reply. */
    explicit Pairs(ReplyView whole) noexcept : whole_(whole) {
        const ReplyView first = whole[0];
        nested_ = whole.type() != KEYLESS_REPLY_MAP && first.type() == KEYLESS_REPLY_ARRAY && first.size() == 2;
    }

    /** How many pairs there are. */
    std::size_t size() const noexcept { return nested_ ? whole_.size() : whole_.size() / 2; }

    /** Whether every part belongs to a pair. */
    bool complete() const noexcept {
        if (!nested_) {
            return whole_.size() % 2 == 0;
        }
        for (const ReplyView part : whole_) {
            if (part.size() != 2) {
                return false;
            }
        }
        return true;
    }

    Iterator begin() const noexcept { return Iterator(*this, 0); }
    Iterator end() const noexcept { return Iterator(*this, size()); }

private:
    ReplyView whole_;
    bool nested_ = false;
};

inline ReplyView::Iterator ReplyView::begin() const noexcept {
    return Iterator(*this, 0);
}

inline ReplyView::Iterator ReplyView::end() const noexcept {
    return Iterator(*this, size());
}

inline ReplyView::Pairs ReplyView::pairs() const noexcept {
    return Pairs(*this);
}

inline ReplyView::Pairs Reply::pairs() const & noexcept {
    return ReplyView::pairs();
}

inline Reply ReplyView::clone() const {
    return Reply(keyless_reply_clone(reply_));
}

} // namespace keyless

#endif
